// SPDX-License-Identifier: Apache-2.0
// Copy.java - a copy of a topic, or one with a chosen error, so that compare
// can be shown to see each kind of error.

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;

final class Copy {
    private Copy() { }

    private static Batch.Rec rec(ConsumerRecord<byte[], byte[]> r) {
        List<Header> headers = new ArrayList<>();
        r.headers().forEach(headers::add);
        return new Batch.Rec(r.timestamp(), r.key(), r.value(), headers);
    }

    private static byte[] swap(byte[] b) {
        return b == null ? new byte[0] : b.length == 0 ? null : new byte[] {1};
    }

    /** Changes the list in one place; returns whether there was one. */
    private static boolean mutate(String kind, List<Batch.Rec> list) {
        for (int i = 0; i < list.size(); i++) {
            Batch.Rec r = list.get(i);
            List<Header> h = new ArrayList<>(r.headers());
            switch (kind) {
            case "drop":
                list.remove(list.size() - 1);
                return true;
            case "double":
                list.add(i, r);
                return true;
            case "swap":
                if (i + 1 == list.size() || r.equals(list.get(i + 1)))
                    continue;
                Collections.swap(list, i, i + 1);
                return true;
            case "time":
                list.set(i, new Batch.Rec(r.timestamp() + 1, r.key(),
                    r.value(), h));
                return true;
            case "key":
                list.set(i, new Batch.Rec(r.timestamp(), swap(r.key()),
                    r.value(), h));
                return true;
            case "null-key":
            case "null-value":
                boolean key = kind.equals("null-key");
                byte[] b = key ? r.key() : r.value();
                if (b != null && b.length > 0)
                    continue;
                list.set(i, new Batch.Rec(r.timestamp(), key ? swap(b)
                    : r.key(), key ? r.value() : swap(b), h));
                return true;
            case "header-order":
                if (h.size() < 2 || h.get(0).equals(h.get(1)))
                    continue;
                Collections.swap(h, 0, 1);
                break;
            case "header-null":
                if (h.isEmpty())
                    continue;
                h.set(0, Fill.header(h.get(0).key(), swap(h.get(0).value())));
                break;
            case "header-lost":
                if (h.isEmpty())
                    continue;
                h.remove(h.size() - 1);
                break;
            default:
                throw new Client.Failure("unknown mutation " + kind);
            }
            list.set(i, new Batch.Rec(r.timestamp(), r.key(), r.value(), h));
            return true;
        }
        return false;
    }

    static int run(Client.Args args) throws Exception {
        String source = args.words.get(0);
        String target = args.words.get(1);
        String kinds = args.get("--mutate", null);
        if (kinds == null)
            copy(args.bootstrap(), source, target, null);
        else
            for (String kind : kinds.split(","))
                copy(args.bootstrap(), source, target + "." + kind, kind);
        return 0;
    }

    private static void copy(String bootstrap, String source, String target,
                             String kind) throws Exception {
        boolean changed = false;
        try (Admin admin = Admins.admin(bootstrap);
             Wire wire = new Wire(bootstrap.split(",")[0])) {
            List<TopicPartition> from = Admins.partitions(admin,
                List.of(source));
            admin.createTopics(List.of(new NewTopic(target, from.size(),
                (short) 1).configs(java.util.Map.of("retention.ms", "-1",
                    "max.message.bytes", "20000000")))).all().get();
            Admins.waitForLeaders(admin, target, from.size());
            for (TopicPartition p : from) {
                List<Batch.Rec> list = new ArrayList<>();
                Dump.read(bootstrap, true, List.of(p), r -> list.add(rec(r)));
                if (kind != null && !changed)
                    changed = mutate(kind, list);
                Batch b = new Batch().codec("lz4");
                long bytes = 0;
                for (Batch.Rec r : list) {
                    b.add(r);
                    bytes += 100 + (r.value() == null ? 0 : r.value().length);
                    if (bytes > 500000) {
                        wire.produce(target, p.partition(), b);
                        b = new Batch().codec("zstd");
                        bytes = 0;
                    }
                }
                if (b.count() > 0)
                    wire.produce(target, p.partition(), b);
            }
        }
        if (kind != null && !changed)
            throw new Client.Failure("nothing in " + source + " to mutate");
    }
}

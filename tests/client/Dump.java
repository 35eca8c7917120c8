// SPDX-License-Identifier: Apache-2.0
// Dump.java - records and batch headers as text, one a line.

import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;

final class Dump {
    private Dump() { }

    static String bytes(byte[] b) throws Exception {
        if (b == null)
            return "null";
        if (b.length == 0)
            return "''";
        if (b.length > 48)
            return b.length + ":sha256:" + HexFormat.of().formatHex(
                MessageDigest.getInstance("SHA-256").digest(b)).substring(0,
                    24);
        boolean plain = true;
        for (byte c : b)
            plain &= c > 0x20 && c < 0x7f && c != '\'' && c != ',';
        return plain ? "'" + new String(b) + "'"
            : "x" + HexFormat.of().formatHex(b);
    }

    static String headers(ConsumerRecord<byte[], byte[]> r) throws Exception {
        StringBuilder s = new StringBuilder("[");
        for (Header h : r.headers())
            s.append(s.length() > 1 ? " " : "").append(bytes(
                Batch.bytes(h.key()))).append("=").append(bytes(h.value()));
        return s.append("]").toString();
    }

    static String content(ConsumerRecord<byte[], byte[]> r) throws Exception {
        return "time=" + r.timestamp() + "(" + r.timestampType().name
            + ") key=" + bytes(r.key()) + " value=" + bytes(r.value())
            + " headers=" + headers(r);
    }

    /** Reads partitions from start to the end that stands now. */
    static void read(String bootstrap, boolean committed,
                     List<TopicPartition> list, Reader each) throws Exception {
        try (KafkaConsumer<byte[], byte[]> c =
                 Client.consumer(bootstrap, committed)) {
            c.assign(list);
            Map<TopicPartition, Long> ends = c.endOffsets(list);
            c.seekToBeginning(list);
            java.util.Set<TopicPartition> left = new java.util.HashSet<>(list);
            left.removeIf(p -> c.position(p) >= ends.get(p));
            long quiet = System.nanoTime();
            while (!left.isEmpty()) {
                long got = 0;
                for (ConsumerRecord<byte[], byte[]> r :
                         c.poll(Duration.ofMillis(200))) {
                    got++;
                    if (r.offset() < ends.get(new TopicPartition(r.topic(),
                            r.partition())))
                        each.record(r);
                }
                int before = left.size();
                left.removeIf(p -> c.position(p) >= ends.get(p));
                if (got > 0 || left.size() < before)
                    quiet = System.nanoTime();
                if (System.nanoTime() - quiet > 40_000_000_000L)
                    throw new Client.Failure("reading stands still: "
                        + left.iterator().next() + " at "
                        + c.position(left.iterator().next()) + " of "
                        + ends.get(left.iterator().next()));
            }
        }
    }

    interface Reader {
        void record(ConsumerRecord<byte[], byte[]> r) throws Exception;
    }

    static int records(Client.Args args) throws Exception {
        StringBuilder out = new StringBuilder();
        try (Admin admin = Admins.admin(args.bootstrap())) {
            for (TopicPartition p : Admins.partitions(admin, args.words))
                read(args.bootstrap(), !args.has("--uncommitted"), List.of(p),
                    r -> {
                        out.append(r.topic()).append('\t')
                            .append(r.partition()).append('\t')
                            .append(r.offset()).append('\t')
                            .append(content(r)).append('\n');
                        if (out.length() > 1 << 16) {
                            System.out.print(out);
                            out.setLength(0);
                        }
                    });
        }
        System.out.print(out);
        return 0;
    }

    static int batches(Client.Args args) throws Exception {
        try (Admin admin = Admins.admin(args.bootstrap())) {
            for (String topic : args.words) {
                Map<TopicPartition, Long> starts =
                    Admins.starts(admin, List.of(topic));
                var leaders = Admins.describe(admin, List.of(topic)).get(topic);
                for (var info : leaders.partitions()) {
                    int p = info.partition();
                    if (args.has("--partition")
                            && p != args.number("--partition", 0))
                        continue;
                    try (Wire wire = new Wire(info.leader().host() + ":"
                             + info.leader().port())) {
                        for (Wire.Head h : wire.heads(topic, p,
                                 starts.get(new TopicPartition(topic, p))))
                            System.out.printf("%s\t%d\t%d..%d\tmagic=%d "
                                + "codec=%s attributes=0x%x records=%d "
                                + "bytes=%d first=%d max=%d producer=%d/%d/%d"
                                + "%n", topic, p, h.base(), h.base() + h.last(),
                                h.magic(), Batch.codecOf(h.attributes()),
                                h.attributes(), h.count(), h.size(),
                                h.baseTime(), h.maxTime(), h.pid(), h.epoch(),
                                h.sequence());
                    }
                }
            }
        }
        return 0;
    }
}

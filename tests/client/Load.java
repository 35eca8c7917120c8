// SPDX-License-Identifier: Apache-2.0
// Load.java - many numbered records, and the proof that each is there once.

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;

/** Record i of partition p has value "p:i:filler" and key "k<i % 1000>". */
final class Load {
    private Load() { }

    static int load(Client.Args args) throws Exception {
        String topic = args.words.get(0);
        int partitions = (int) args.number("--partitions", 1);
        long records = args.number("--records", 10000);
        long start = args.number("--start", 0);
        int size = (int) args.number("--size", 100);
        int perBatch = (int) args.number("--batch", 500);
        int magic = (int) args.number("--magic", 2);
        long step = args.number("--step", 0);
        long rate = args.number("--rate", 0);
        String time = args.get("--timestamp", "now");
        long base = time.equals("now") ? System.currentTimeMillis()
            : Long.parseLong(time);
        Random random = new Random(7);
        Map<String, String> configs = args.pairs("--config");
        configs.putIfAbsent("retention.ms", "-1");
        try (Admin admin = Admins.admin(args.bootstrap())) {
            try {
                admin.createTopics(List.of(new NewTopic(topic, partitions,
                    (short) args.number("--replicas", 1)).configs(configs)))
                    .all().get();
            } catch (java.util.concurrent.ExecutionException e) {
                if (!(e.getCause() instanceof TopicExistsException))
                    throw e;
            }
            Admins.waitForLeaders(admin, topic, partitions);
            var infos = Admins.describe(admin, List.of(topic)).get(topic)
                .partitions();
            Map<Integer, Wire> wires = new TreeMap<>();
            byte[] filler = new byte[size];
            long began = System.nanoTime();
            for (long first = start; first < start + records;
                 first += perBatch) {
                for (int p = 0; p < partitions; p++) {
                    Batch b = new Batch().codec(args.get("--compression",
                        "none"));
                    for (long i = first; i < Math.min(first + perBatch,
                             start + records); i++) {
                        String head = p + ":" + i + ":";
                        random.nextBytes(filler);
                        StringBuilder v = new StringBuilder(head);
                        for (int c = 0; v.length() < size; c++)
                            v.append((char) ('a' + (filler[c] & 15)));
                        b.add(base + i * step, "k" + i % 1000, v.toString());
                    }
                    var leader = infos.get(p).leader();
                    Wire wire = wires.get(leader.id());
                    if (wire == null) {
                        wire = new Wire(leader.host() + ":" + leader.port());
                        wires.put(leader.id(), wire);
                    }
                    if (magic == 2)
                        wire.produce(topic, p, b);
                    else
                        wire.produce(magic == 0 ? 0 : 2, null, topic, p,
                            b.buildOld(magic));
                }
                if (rate > 0) {
                    double due = (first + perBatch - start) / (double) rate;
                    double spent = (System.nanoTime() - began) / 1e9;
                    if (due > spent)
                        Thread.sleep((long) ((due - spent) * 1000));
                }
            }
        }
        return 0;
    }

    static int verify(Client.Args args) throws Exception {
        long records = args.number("--records", -1);
        boolean good = true;
        try (Admin admin = Admins.admin(args.bootstrap())) {
            for (TopicPartition p : Admins.partitions(admin, args.words)) {
                long[] next = {args.number("--start", 0), 0};
                Dump.read(args.bootstrap(), true, List.of(p), r -> {
                    String[] v = new String(r.value()).split(":", 3);
                    long i = Long.parseLong(v[1]);
                    if ((Integer.parseInt(v[0]) != p.partition()
                            || i != next[0]) && next[1]++ == 0)
                        System.out.printf("WRONG %s: at offset %d there is"
                            + " record %s:%d, wanted %d%n", p, r.offset(),
                            v[0], i, next[0]);
                    next[0] = i + 1;
                });
                if (next[1] > 0)
                    good = false;
                if (records >= 0 && next[0] != records) {
                    System.out.printf("WRONG %s: it ends before record %d,"
                        + " wanted %d%n", p, next[0], records);
                    good = false;
                }
            }
        }
        return good ? 0 : 1;
    }
}

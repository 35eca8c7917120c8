// SPDX-License-Identifier: Apache-2.0
// ShapesTxn.java - transactions in every state.

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.producer.KafkaProducer;

final class ShapesTxn {
    private final Fill f;
    private final String id = "filler-" + System.nanoTime() + "-";
    /** Producers that must not be closed: that would abort. */
    private static final List<Object> LEFT_OPEN = new ArrayList<>();

    ShapesTxn(Fill f) {
        this.f = f;
    }

    void register() {
        f.shape("txn", "txn-committed", this::committed);
        f.shape("txn", "txn-aborted", this::aborted);
        f.shape("txn", "txn-interleaved", this::interleaved);
        f.shape("open", "txn-open", this::open);
        f.shape("open", "txn-hanging", this::hanging);
    }

    private KafkaProducer<byte[], byte[]> begin(String name, String codec) {
        KafkaProducer<byte[], byte[]> p = f.producer(
            "transactional.id=" + id + name, "compression.type=" + codec,
            "transaction.timeout.ms=600000");
        p.initTransactions();
        return p;
    }

    private void some(KafkaProducer<byte[], byte[]> p, String topic,
                      int partitions, int count, String value) {
        for (int i = 0; i < count; i++)
            f.send(p, topic, i % partitions, f.now + i, "k" + i, value + i);
        p.flush();
    }

    private void committed() throws Exception {
        String t = f.topic("txn-committed", 2);
        int n = 0;
        for (String codec : List.of("none", "lz4"))
            try (KafkaProducer<byte[], byte[]> p = begin("c" + codec, codec)) {
                for (int i = 0; i < 10; i++) {
                    p.beginTransaction();
                    some(p, t, 2, 50, "committed ");
                    p.commitTransaction();
                    n += 50;
                }
            }
        f.done(t, 2, n, "");
    }

    private void aborted() throws Exception {
        String t = f.topic("txn-aborted", 2);
        try (KafkaProducer<byte[], byte[]> p = begin("a", "none")) {
            for (int i = 0; i < 5; i++) {
                p.beginTransaction();
                some(p, t, 2, 30, "aborted ");
                p.abortTransaction();
            }
        }
        f.done(t, 2, 0, "");
    }

    /** Three producers and a plain one on the same partitions, every batch in
     * turn, ending differently. */
    private void interleaved() throws Exception {
        String t = f.topic("txn-interleaved", 2);
        int n = 0;
        List<KafkaProducer<byte[], byte[]>> all = new ArrayList<>();
        for (int i = 0; i < 3; i++)
            all.add(begin("i" + i, i == 1 ? "zstd" : "none"));
        try (KafkaProducer<byte[], byte[]> plain = f.producer()) {
            for (int round = 0; round < 12; round++) {
                for (KafkaProducer<byte[], byte[]> p : all)
                    p.beginTransaction();
                for (int step = 0; step < 4; step++) {
                    for (KafkaProducer<byte[], byte[]> p : all)
                        some(p, t, 2, 6, "round " + round + " ");
                    some(plain, t, 2, 4, "plain ");
                    n += 4;
                }
                for (int i = 0; i < 3; i++)
                    if ((round + i) % 3 == 0) {
                        all.get(i).abortTransaction();
                    } else {
                        all.get(i).commitTransaction();
                        n += 24;
                    }
            }
        }
        for (KafkaProducer<byte[], byte[]> p : all)
            p.close();
        f.done(t, 2, n, "");
    }

    /** Left open: the coordinator will abort it in ten minutes. */
    private void open() throws Exception {
        String t = f.topic("txn-open", 2);
        try (KafkaProducer<byte[], byte[]> plain = f.producer()) {
            some(plain, t, 2, 20, "before ");
            KafkaProducer<byte[], byte[]> p = begin("open", "none");
            LEFT_OPEN.add(p);
            p.beginTransaction();
            for (int i = 0; i < 5; i++)
                f.send(p, t, 0, f.now, "open", "open " + i);
            p.flush();
            some(plain, t, 2, 20, "after ");
        }
        f.done(t, 2, 10 + 20, "open");
    }

    /** Hanging: the coordinator does not know of it, so nothing ends it. The
     * broker needs transaction.partition.verification.enable=false. */
    private void hanging() throws Exception {
        String t = f.topic("txn-hanging", 1);
        String name = id + "hanging";
        try (Wire wire = f.wire()) {
            wire.findCoordinator(name);
            long[] pid = wire.initProducerId(name);
            Batch before = new Batch();
            for (int i = 0; i < 12; i++)
                before.add(f.now, "k", "before " + i);
            wire.produce(t, 0, before);
            wire.produce(7, name, t, 0, new Batch().add(f.now, "h", "hanging")
                .add(f.now, "h", "hanging").producer(pid[0], (short) pid[1], 0,
                    true).build());
            wire.produce(t, 0, new Batch().add(f.now, "k", "after"));
        }
        f.done(t, 1, 12, "open");
    }
}

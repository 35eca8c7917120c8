// SPDX-License-Identifier: Apache-2.0
// ShapesLog.java - what happens to a log: compaction, deletion, retention.

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;

final class ShapesLog {
    private final Fill f;

    ShapesLog(Fill f) {
        this.f = f;
    }

    void register() {
        f.shape("basic", "tombstones", this::tombstones);
        f.shape("basic", "compacted", this::compacted);
        f.shape("basic", "delete-records", this::deleteRecords);
        f.shape("basic", "retention", this::retention);
    }

    private void tombstones() throws Exception {
        String t = f.topic("tombstones", 2, "cleanup.policy=compact",
            "min.cleanable.dirty.ratio=1.0");
        int n = 600;
        try (KafkaProducer<byte[], byte[]> p = f.producer()) {
            for (int i = 0; i < n; i++)
                f.send(p, t, i % 2, f.now + i, "k" + i % 40,
                    i % 3 == 0 ? null : i % 7 == 0 ? "" : "v" + i);
        }
        f.done(t, 2, n, "");
    }

    private long[] holes(Wire wire, String topic) throws Exception {
        long inBatch = 0;
        long empty = 0;
        long records = 0;
        for (Wire.Head h : wire.heads(topic, 0, 0)) {
            records += h.count();
            if (h.count() == 0)
                empty++;
            else if (h.count() < h.last() + 1)
                inBatch++;
        }
        return new long[] {inBatch, empty, records};
    }

    /** Holes inside batches and between them, a batch the cleaner emptied,
     * tombstones with a delete horizon, in every codec. */
    private void compacted() throws Exception {
        String[] codecs = {"none", "lz4", "zstd", "gzip", "snappy"};
        for (String codec : codecs) {
            String t = f.topic("compacted-" + codec, 1,
                "cleanup.policy=compact", "segment.ms=200",
                "min.cleanable.dirty.ratio=0.0001", "min.compaction.lag.ms=0");
            try (Wire wire = f.wire()) {
                long[] pid = f.plain ? new long[] {-1, -1}
                    : wire.initProducerId(null);
                int sequence = 0;
                for (int i = 0; i < 30; i++) {
                    Batch b = new Batch().codec(codec);
                    for (int j = 0; j < 10; j++)
                        b.add(f.now - 1000 + i, "k" + (i * 3 + j) % 50,
                            j == 7 && i % 2 == 0 ? null : "v" + i + "." + j);
                    wire.produce(t, 0, b.producer(pid[0], (short) pid[1],
                        f.plain ? -1 : sequence, false));
                    sequence += 10;
                }
                // the last batch of this producer, all superseded below
                wire.produce(t, 0, new Batch().codec(codec)
                    .add(f.now, "gone1", "1").add(f.now, "gone2", "2")
                    .producer(pid[0], (short) pid[1], f.plain ? -1 : sequence,
                        false));
                wire.produce(t, 0, new Batch().codec(codec)
                    .add(f.now, "gone1", "new").add(f.now, "gone2", "new"));
                long[] seen = {0, 0, 0};
                for (int tries = 0; tries < 100 && (seen[0] == 0
                     || seen[1] == 0 && !f.plain); tries++) {
                    Thread.sleep(300);
                    // a later record makes the broker roll the segment
                    wire.produce(t, 0, new Batch().codec(codec)
                        .add(System.currentTimeMillis(), "roll", "" + tries));
                    seen = holes(wire, t);
                }
                Fill.require(seen[0] > 0, "no hole inside a batch of " + t);
                Fill.require(seen[1] > 0 || f.plain, "no emptied batch in " + t);
                // no more cleaning, so that both readers see the same log;
                // one already begun still ends
                f.configure(t, "min.cleanable.dirty.ratio=1.0",
                    "segment.ms=604800000", "min.compaction.lag.ms=604800000");
                long[] before = {-1};
                for (int same = 0; same < 4; Thread.sleep(250)) {
                    seen = holes(wire, t);
                    same = seen[2] == before[0] ? same + 1 : 0;
                    before[0] = seen[2];
                }
                f.done(t, 1, seen[2], "");
            }
        }
    }

    private void deleteRecords() throws Exception {
        String t = f.topic("delete-records", 4);
        try (Wire wire = f.wire()) {
            for (int p = 0; p < 4; p++)
                for (int i = 0; i < 10; i++) {
                    Batch b = new Batch().codec(p == 1 ? "zstd" : "none");
                    for (int j = 0; j < 10; j++)
                        b.add(f.now + j, "k" + i, "v" + i + "." + j);
                    wire.produce(t, p, b);
                }
        }
        f.admin.deleteRecords(Map.of(
            new TopicPartition(t, 0), RecordsToDelete.beforeOffset(57),
            new TopicPartition(t, 1), RecordsToDelete.beforeOffset(9),
            new TopicPartition(t, 2), RecordsToDelete.beforeOffset(100)))
            .all().get();
        f.done(t, 4, 43 + 91 + 0 + 100, "");
    }

    private void retention() throws Exception {
        String t = f.topic("retention", 1, "segment.bytes=1048576",
            "retention.bytes=" + (f.plain ? "2000000" : "-1"));
        int size = 10000;
        int n = 400;
        try (KafkaProducer<byte[], byte[]> p = f.producer("batch.size=1")) {
            for (int i = 0; i < n; i++)
                f.send(p, t, 0, f.now, "k" + i, new String(f.text(i, size)));
        }
        // 2.8 in KRaft mode does not act on a config that changes
        if (!f.plain)
            f.configure(t, "retention.bytes=2000000");
        long start = 0;
        for (int i = 0; i < 100 && start == 0; i++) {
            Thread.sleep(200);
            start = Admins.starts(f.admin, List.of(t)).values().iterator()
                .next();
        }
        Fill.require(start > 0, "retention deletes nothing of " + t);
        if (!f.plain)
            f.configure(t, "retention.bytes=-1");
        Thread.sleep(1500);
        start = Admins.starts(f.admin, List.of(t)).values().iterator().next();
        f.done(t, 1, n - start, "");
    }
}

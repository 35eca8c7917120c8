// SPDX-License-Identifier: Apache-2.0
// ShapesOld.java - message sets of magic 0 and 1, for brokers of the 2.x line.

import java.util.List;

final class ShapesOld {
    private final Fill f;

    ShapesOld(Fill f) {
        this.f = f;
    }

    void register() {
        f.shape("old", "magic0", () -> magic(0, "0.9.0"));
        f.shape("old", "magic1", () -> magic(1, "0.10.0"));
        f.shape("old", "upgraded", this::upgraded);
        f.shape("old", "magic1-log-append-time", this::logAppendTime);
    }

    private static final List<String> CODECS =
        List.of("none", "gzip", "snappy", "lz4");

    private int sets(Wire wire, String topic, int partition, int magic,
                     String codec, int sets) throws Exception {
        int n = 0;
        for (int i = 0; i < sets; i++) {
            Batch b = new Batch().codec(codec);
            for (int j = 0; j < 1 + i % 7; j++, n++)
                b.add(n % 5 == 0 ? -1 : f.now - n * 1000,
                    n % 4 == 0 ? null : n % 4 == 1 ? "" : "k" + n,
                    n % 6 == 0 ? null : n % 6 == 1 ? "" : "value " + n);
            wire.produce(magic == 0 ? 0 : 2, null, topic, partition,
                b.buildOld(magic));
        }
        return n;
    }

    private void check(Wire wire, String topic, int partition, int magic)
        throws Exception {
        for (Wire.Head h : wire.heads(topic, partition, 0))
            Fill.require(h.magic() == magic, topic + " has magic " + h.magic());
    }

    private void magic(int magic, String format) throws Exception {
        String t = f.topic("magic" + magic, 4,
            "message.format.version=" + format);
        int n = 0;
        try (Wire wire = f.wire()) {
            for (int p = 0; p < 4; p++) {
                n += sets(wire, t, p, magic, CODECS.get(p), 60);
                check(wire, t, p, magic);
            }
        }
        f.done(t, 4, n, "");
    }

    /** One log that holds all three formats, as after two upgrades. */
    private void upgraded() throws Exception {
        String t = f.topic("upgraded", 1, "message.format.version=0.9.0");
        int n;
        try (Wire wire = f.wire()) {
            n = sets(wire, t, 0, 0, "gzip", 20);
            format(t, "0.10.0");
            n += sets(wire, t, 0, 1, "lz4", 20);
            format(t, "2.1");
            for (int i = 0; i < 20; i++, n++)
                wire.produce(t, 0, new Batch().add(f.now, "new", "v2 " + i,
                    Batch.header("h", "1")));
            boolean[] seen = new boolean[3];
            for (Wire.Head h : wire.heads(t, 0, 0))
                seen[h.magic()] = true;
            Fill.require(seen[0] && seen[1] && seen[2],
                t + " lacks one of the formats");
        }
        f.done(t, 1, n, "");
    }

    private void format(String topic, String version) throws Exception {
        f.configure(topic, "message.format.version=" + version);
        Thread.sleep(1500);
    }

    private void logAppendTime() throws Exception {
        String t = f.topic("magic1-log-append-time", 2,
            "message.format.version=0.10.0",
            "message.timestamp.type=LogAppendTime");
        int n = 0;
        try (Wire wire = f.wire()) {
            for (int p = 0; p < 2; p++) {
                n += sets(wire, t, p, 1, p == 0 ? "none" : "snappy", 20);
                check(wire, t, p, 1);
            }
        }
        f.done(t, 2, n, "lat");
    }
}

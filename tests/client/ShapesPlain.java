// SPDX-License-Identifier: Apache-2.0
// ShapesPlain.java - keys, values, headers, times, codecs, sizes, names.

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

final class ShapesPlain {
    private static final long DAY = 86400000L;
    private final Fill f;

    ShapesPlain(Fill f) {
        this.f = f;
    }

    void register() {
        f.shape("basic", "nulls", this::nulls);
        f.shape("basic", "headers", this::headers);
        f.shape("basic", "times", this::times);
        f.shape("basic", "log-append-time", this::logAppendTime);
        f.shape("basic", "ones", this::ones);
        f.shape("basic", "big", this::big);
        f.shape("basic", "codecs", this::codecs);
        f.shape("basic", "snappy", this::snappy);
        f.shape("basic", "empty", this::empty);
        f.shape("basic", "names", this::names);
        f.shape("basic", "mixed", this::mixed);
        f.shape("slow", "thousand", this::thousand);
    }

    private void nulls() throws Exception {
        String t = f.topic("nulls", 3);
        String[] some = {null, "", "x"};
        int n = 0;
        try (KafkaProducer<byte[], byte[]> p = f.producer()) {
            for (int round = 0; round < 50; round++)
                for (String key : some)
                    for (String value : some)
                        f.send(p, t, n++ % 3, f.now + n, key, value);
        }
        f.done(t, 3, n, "");
    }

    private void headers() throws Exception {
        String t = f.topic("headers", 2);
        List<Header[]> lists = new ArrayList<>();
        lists.add(new Header[0]);
        lists.add(new Header[] {Fill.header("a", null)});
        lists.add(new Header[] {Fill.header("a", new byte[0])});
        lists.add(new Header[] {Fill.header("", null)});
        lists.add(new Header[] {Fill.header("", new byte[0]),
            Fill.header("", Batch.bytes("v"))});
        lists.add(new Header[] {Batch.header("d", "1"), Batch.header("d", "2"),
            Fill.header("d", null), Batch.header("d", "1")});
        lists.add(new Header[] {Batch.header("z", "1"), Batch.header("a", "2"),
            Batch.header("z", "3")});
        lists.add(new Header[] {Fill.header("binary", f.noise(3000)),
            Batch.header("naïve ☃", "ünïcode")});
        Header[] many = new Header[300];
        for (int i = 0; i < many.length; i++)
            many[i] = Batch.header("h" + i % 7, "v" + i);
        lists.add(many);
        int n = 0;
        try (KafkaProducer<byte[], byte[]> p = f.producer();
             Wire wire = f.wire()) {
            for (int round = 0; round < 10; round++)
                for (Header[] list : lists) {
                    f.send(p, t, 0, f.now, "k" + n, n % 2 == 0 ? null : "",
                        list);
                    n++;
                }
            for (String codec : List.of("none", "lz4", "zstd")) {
                Batch b = new Batch().codec(codec);
                for (Header[] list : lists)
                    b.add(f.now, "raw", codec, list);
                wire.produce(t, 1, b);
                n += b.count();
            }
        }
        f.done(t, 2, n, "");
    }

    private void times() throws Exception {
        String t = f.topic("times", 4);
        int n = 0;
        long[][] batches = {
            {0}, {-1}, {1}, {-1, -1, -1}, {0, 0}, {0, -1, 1},
            {f.now, f.now - 40 * 365 * DAY, f.now - 1, 0, f.now},
            {f.now, f.now - 1, f.now - 2, f.now - 3},
            {1, f.now, -1, f.now - 3650 * DAY}, {f.now - 30 * DAY},
            {f.now + 50 * 60000}, {Integer.MAX_VALUE, 1L + Integer.MAX_VALUE},
        };
        try (Wire wire = f.wire()) {
            String[] codecs = {"none", "gzip", "lz4", "zstd"};
            for (int p = 0; p < 4; p++)
                for (long[] times : batches) {
                    Batch b = new Batch().codec(codecs[p]);
                    for (long time : times)
                        b.add(time, "t" + time, "v" + n++);
                    wire.produce(t, p, b);
                }
        }
        f.done(t, 4, n, "");
    }

    private void logAppendTime() throws Exception {
        String t = f.topic("log-append-time", 5,
            "message.timestamp.type=LogAppendTime");
        int n = 0;
        try (Wire wire = f.wire()) {
            String[] codecs = {"none", "gzip", "snappy", "lz4", "zstd"};
            for (int p = 0; p < 5; p++)
                for (int i = 0; i < 4; i++) {
                    Batch b = new Batch().codec(codecs[p]);
                    for (int j = 0; j < 10; j++, n++)
                        b.add(f.now - 100 * DAY + n, "k" + n, "v" + n);
                    wire.produce(t, p, b);
                    Thread.sleep(3);
                }
        }
        f.done(t, 5, n, "lat");
    }

    private void ones() throws Exception {
        String t = f.topic("ones", 2);
        int n = 3000 * f.scale;
        try (Wire wire = f.wire()) {
            for (int i = 0; i < 200; i++)
                wire.produce(t, 1, new Batch().codec(i % 2 == 0 ? "zstd"
                    : "none").add(f.now + i, "one" + i, "by one " + i));
        }
        try (KafkaProducer<byte[], byte[]> p = f.producer("batch.size=0",
                 "linger.ms=0")) {
            for (int i = 200; i < n; i++)
                f.send(p, t, 0, f.now + i, "k" + i, "value " + i);
        }
        f.done(t, 2, n, "");
    }

    private void big() throws Exception {
        String t = f.topic("big", 2, "max.message.bytes=20000000");
        int n = 0;
        for (String codec : List.of("none", "zstd"))
            try (KafkaProducer<byte[], byte[]> p =
                     f.producer("compression.type=" + codec)) {
                for (int i = 0; i < 3; i++, n++)
                    f.send(p, new ProducerRecord<>(t, n % 2, f.now,
                        Batch.bytes("big" + n), i == 1
                            ? f.text(i, 10_000_000) : f.noise(10_000_000)))
                        .get();
                f.send(p, t, 0, f.now, "small", "after it").get();
                n++;
            }
        f.done(t, 2, n, "");
    }

    private void codecs() throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String t = f.topic("codec-" + codec, 3);
            int n = 5000 * f.scale;
            try (KafkaProducer<byte[], byte[]> p = f.producer(
                     "compression.type=" + codec, "batch.size=65536")) {
                for (int i = 0; i < n; i++)
                    f.send(p, new ProducerRecord<>(t, i % 3, f.now - i,
                        Batch.bytes("key" + i % 500),
                        f.text(i, 20 + f.random.nextInt(400))));
            }
            f.done(t, 3, n, "");
        }
    }

    private void snappy() throws Exception {
        String t = f.topic("snappy-both", 2);
        int n = 0;
        try (Wire wire = f.wire()) {
            for (int i = 0; i < 40; i++) {
                Batch b = new Batch().codec(i % 2 == 0 ? "snappy-raw"
                    : "snappy");
                for (int j = 0; j <= i * 5; j++, n++)
                    b.add(f.now + j, Batch.bytes("k" + j), f.text(n, 300));
                wire.produce(t, i % 4 == 3 ? 1 : 0, b);
            }
        }
        f.done(t, 2, n, "");
    }

    private void empty() throws Exception {
        f.done(f.topic("empty", 5), 5, 0, "");
    }

    private void names() throws Exception {
        String room = "x".repeat(249 - f.prefix.length());
        int i = 0;
        for (String name : List.of("a.b-c_d", "-dash-first", "...dots",
                 "_underscore", "UPPER.lower-1", "n", room)) {
            String t = f.topic(name, 1);
            try (KafkaProducer<byte[], byte[]> p = f.producer()) {
                for (int j = 0; j <= i; j++)
                    f.send(p, t, 0, f.now, "k", name.substring(0, 1) + j);
            }
            f.done(t, 1, ++i, "");
        }
    }

    /** Every codec, single records and large batches in one partition. */
    private void mixed() throws Exception {
        String t = f.topic("mixed", 1);
        int n = 0;
        String[] codecs = {"none", "gzip", "snappy", "snappy-raw", "lz4",
            "zstd"};
        try (Wire wire = f.wire()) {
            long[] pid = f.plain ? null : wire.initProducerId(null);
            int sequence = 0;
            for (int i = 0; i < 300; i++) {
                Batch b = new Batch().codec(codecs[f.random.nextInt(6)]);
                int size = f.random.nextInt(3) == 0
                    ? 1 + f.random.nextInt(300) : 1;
                for (int j = 0; j < size; j++, n++)
                    b.add(f.random.nextInt(5) == 0 ? 0 : f.now - j * DAY,
                        f.random.nextInt(9) == 0 ? null
                            : Batch.bytes("k" + n), f.text(n, 100));
                if (i % 3 == 0 && !f.plain) {
                    b.producer(pid[0], (short) pid[1], sequence, false);
                    sequence += size;
                }
                wire.produce(t, 0, b);
            }
        }
        f.done(t, 1, n, "");
    }

    private void thousand() throws Exception {
        int partitions = 1000;
        String t = f.prefix + "thousand";
        f.admin.createTopics(List.of(new NewTopic(t, partitions, (short) 1)))
            .all().get();
        Admins.waitForLeaders(f.admin, t, partitions);
        int n = 0;
        try (KafkaProducer<byte[], byte[]> p = f.producer("linger.ms=50")) {
            for (int i = 0; i < partitions; i++)
                for (int j = 0; j < i % 6; j++, n++)
                    f.send(p, t, i, f.now, "p" + i, "r" + j);
        }
        f.done(t, partitions, n, "");
    }
}

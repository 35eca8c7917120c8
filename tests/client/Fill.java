// SPDX-License-Identifier: Apache-2.0
// Fill.java - makes topics of every shape a record, batch or log can have.

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Prints one line a topic: name, shape, partitions, records that a
 * read_committed consumer sees, flags. Flag `open`: an open transaction ends
 * what can be read; `lat`: the times are the broker's. */
final class Fill {
    interface Shape {
        void make() throws Exception;
    }

    final Client.Args args;
    final String bootstrap;
    final String prefix;
    final int scale;
    /** The broker has no producer ids: Kafka 2.8 in KRaft mode. */
    final boolean plain;
    final Admin admin;
    final long now = System.currentTimeMillis();
    final Random random = new Random(42);
    private final Map<String, Shape> shapes = new LinkedHashMap<>();
    private final Map<String, List<String>> groups = new LinkedHashMap<>();
    private final Map<String, Map<String, String>> configs =
        new LinkedHashMap<>();
    private String shape;
    private volatile Exception failed;

    Fill(Client.Args args) {
        this.args = args;
        if (args.has("--list")) {
            bootstrap = null;
            admin = null;
        } else {
            bootstrap = args.bootstrap();
            admin = Admins.admin(bootstrap);
        }
        prefix = args.get("--prefix", "");
        plain = args.has("--plain");
        scale = (int) args.number("--scale", 1);
        new ShapesPlain(this).register();
        new ShapesLog(this).register();
        new ShapesTxn(this).register();
        new ShapesOld(this).register();
    }

    void shape(String group, String name, Shape make) {
        shapes.put(name, make);
        groups.computeIfAbsent(group, g -> new ArrayList<>()).add(name);
    }

    int run() throws Exception {
        if (args.has("--list")) {
            groups.forEach((g, names) ->
                names.forEach(n -> System.out.println(g + "\t" + n)));
            return 0;
        }
        List<String> wanted = new ArrayList<>();
        for (String word : args.words) {
            if (groups.containsKey(word))
                wanted.addAll(groups.get(word));
            else if (shapes.containsKey(word))
                wanted.add(word);
            else
                throw new Client.Failure("no shape or group " + word);
        }
        for (String name : wanted) {
            shape = name;
            long began = System.nanoTime();
            try {
                shapes.get(name).make();
                if (failed != null)
                    throw failed;
            } catch (Exception e) {
                throw new Exception("shape " + name, e);
            }
            System.err.printf("    filled %s in %d ms%n", name,
                (System.nanoTime() - began) / 1000000);
        }
        return 0;
    }

    /** Creates the topic, its configs given as "key=value". */
    String topic(String name, int partitions, String... configs)
        throws Exception {
        String full = prefix + name;
        Map<String, String> map = new LinkedHashMap<>();
        map.put("retention.ms", "-1");
        for (String c : configs)
            map.put(c.substring(0, c.indexOf('=')),
                c.substring(c.indexOf('=') + 1));
        admin.createTopics(List.of(new NewTopic(full, partitions, (short) 1)
            .configs(map))).all().get();
        this.configs.put(full, map);
        Admins.waitForLeaders(admin, full, partitions);
        return full;
    }

    /** Changes some configs of a topic that topic() made. */
    void configure(String topic, String... changes) throws Exception {
        Map<String, String> some = new LinkedHashMap<>();
        for (String c : changes)
            some.put(c.substring(0, c.indexOf('=')),
                c.substring(c.indexOf('=') + 1));
        configs.get(topic).putAll(some);
        try {
            admin.incrementalAlterConfigs(Admins.setConfig(topic, some)).all()
                .get();
        } catch (ExecutionException e) { // brokers before 2.3
            if (!(e.getCause() instanceof UnsupportedVersionException))
                throw e;
            try (Wire wire = wire()) {
                wire.alterConfigs(topic, configs.get(topic));
            }
        }
    }

    void done(String topic, int partitions, long records, String flags) {
        System.out.printf("%s\t%s\t%d\t%d\t%s%n", topic, shape, partitions,
            records, flags.isEmpty() ? "-" : flags);
    }

    KafkaProducer<byte[], byte[]> producer(String... settings) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("max.request.size", "30000000");
        p.put("buffer.memory", "67108864");
        p.put("linger.ms", "5");
        p.put("client.id", "independent-filler");
        p.put("delivery.timeout.ms", "60000");
        p.put("request.timeout.ms", "20000");
        // A broker that knows nothing of a producer takes any sequence: with
        // more in flight, a batch it refused while the topic was new is
        // overtaken for good.
        p.put("max.in.flight.requests.per.connection", "1");
        if (plain)
            p.put("enable.idempotence", "false");
        for (String s : settings)
            p.put(s.substring(0, s.indexOf('=')),
                s.substring(s.indexOf('=') + 1));
        return new KafkaProducer<>(p, new ByteArraySerializer(),
            new ByteArraySerializer());
    }

    Future<RecordMetadata> send(KafkaProducer<byte[], byte[]> p, String topic,
                                int partition, Long time, String key,
                                String value, Header... headers) {
        return send(p, new ProducerRecord<>(topic, partition, time,
            Batch.bytes(key), Batch.bytes(value), List.of(headers)));
    }

    Future<RecordMetadata> send(KafkaProducer<byte[], byte[]> p,
                                ProducerRecord<byte[], byte[]> record) {
        return p.send(record, (metadata, error) -> {
            if (error != null && failed == null)
                failed = error;
        });
    }

    Wire wire() throws Exception {
        return new Wire(bootstrap.split(",")[0]);
    }

    byte[] noise(int size) {
        byte[] b = new byte[size];
        random.nextBytes(b);
        return b;
    }

    /** Text that compresses about as well as JSON documents do. */
    byte[] text(int number, int size) {
        StringBuilder s = new StringBuilder(size + 64);
        while (s.length() < size)
            s.append("{\"id\":").append(number).append(",\"user\":\"u")
                .append(random.nextInt(100000)).append("\",\"amount\":")
                .append(random.nextInt()).append("},");
        s.setLength(size);
        return Batch.bytes(s.toString());
    }

    static Header header(String name, byte[] value) {
        return new RecordHeader(name, value);
    }

    static void require(boolean truth, String what) {
        if (!truth)
            throw new Client.Failure("the shape did not come out: " + what);
    }
}

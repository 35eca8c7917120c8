import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.header.*;
import org.apache.kafka.common.serialization.*;
import java.io.*;
import java.time.Duration;
import java.util.*;

/** Golden SERVERS OLD|NEW DIR: fills topics and writes what a Java consumer reads from them. */
public class Golden {
    static byte[] b(String s) { return s == null ? null : s.getBytes(java.nio.charset.StandardCharsets.UTF_8); }
    static String hex(byte[] a) {
        if (a == null) return "null";
        StringBuilder s = new StringBuilder("x");
        for (byte v : a) s.append(String.format("%02x", v));
        return s.toString();
    }
    public static void main(String[] a) throws Exception {
        String servers = a[0]; boolean old = a[1].equals("OLD"); File dir = new File(a[2]);
        Properties p = new Properties();
        p.put("bootstrap.servers", servers);
        List<String[]> topics = new ArrayList<>(); // name, codec, format, time type
        if (old) {
            for (String f : new String[]{"0.9.0", "0.10.0"})
                for (String c : new String[]{"none", "gzip", "snappy", "lz4"})
                    topics.add(new String[]{"v" + (f.equals("0.9.0") ? 0 : 1) + "-" + c, c, f, "CreateTime"});
            topics.add(new String[]{"v1-append-none", "none", "0.10.0", "LogAppendTime"});
            topics.add(new String[]{"v1-append-gzip", "gzip", "0.10.0", "LogAppendTime"});
        } else {
            for (String c : new String[]{"none", "gzip", "snappy", "lz4", "zstd"})
                topics.add(new String[]{"v2-" + c, c, null, "CreateTime"});
            topics.add(new String[]{"v2-append-zstd", "zstd", null, "LogAppendTime"});
            topics.add(new String[]{"v2-txn-none", "none", null, "CreateTime"});
        }
        try (Admin admin = Admin.create(p)) {
            List<NewTopic> l = new ArrayList<>();
            for (String[] t : topics) {
                Map<String, String> c = new HashMap<>();
                if (t[2] != null) c.put("message.format.version", t[2]);
                c.put("message.timestamp.type", t[3]);
                c.put("retention.ms", "-1");
                l.add(new NewTopic(t[0], 1, (short) 1).configs(c));
            }
            admin.createTopics(l).all().get();
        }
        Thread.sleep(1000);
        for (String[] t : topics) {
            Properties q = new Properties();
            q.putAll(p);
            q.put("compression.type", t[1]);
            q.put("linger.ms", "300");
            q.put("enable.idempotence", old ? "false" : "true");
            boolean txn = t[0].contains("txn");
            if (txn) q.put("transactional.id", "golden");
            try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(q, new ByteArraySerializer(), new ByteArraySerializer())) {
                if (txn) { producer.initTransactions(); producer.beginTransaction(); }
                for (int round = 0; round < 2; round++) {
                    long base = 1700000000000L + round;
                    String big = "lorem ipsum dolor sit amet ".repeat(60);
                    Object[][] recs = {
                        {"k1", "value one", base}, {null, "no key", 0L}, {"no value", null, 1L}, {"", "", base + 100000},
                        {"schlüssel", big, base - 86400000L}, {"k1", "value two " + round, base}};
                    int n = 0;
                    for (Object[] r : recs) {
                        ProducerRecord<byte[], byte[]> rec = new ProducerRecord<>(t[0], 0, (Long) r[2], b((String) r[0]), b((String) r[1]));
                        if (!old && n % 2 == 0) {
                            rec.headers().add("h", b("one")); rec.headers().add("h", b("two")); rec.headers().add("null", null); rec.headers().add("", b(""));
                        }
                        n++;
                        producer.send(rec);
                    }
                    producer.flush();
                    if (txn && round == 0) { producer.commitTransaction(); producer.beginTransaction(); }
                }
                if (txn) producer.abortTransaction();
            }
        }
        Properties q = new Properties();
        q.putAll(p); q.put("isolation.level", "read_uncommitted");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(q, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            for (String[] t : topics) {
                TopicPartition tp = new TopicPartition(t[0], 0);
                consumer.assign(List.of(tp)); consumer.seekToBeginning(List.of(tp));
                long end = consumer.endOffsets(List.of(tp)).get(tp);
                try (PrintWriter w = new PrintWriter(new File(dir, t[0] + ".txt"), "UTF-8")) {
                    while (consumer.position(tp) < end)
                        for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(500))) {
                            w.print(r.offset() + " " + r.timestamp() + " " + hex(r.key()) + " " + hex(r.value()));
                            for (Header h : r.headers()) w.print(" " + hex(b(h.key())) + "=" + hex(h.value()));
                            w.print("\n");
                        }
                }
            }
        }
    }
}

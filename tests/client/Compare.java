// SPDX-License-Identifier: Apache-2.0
// Compare.java - are two topics the same records in the same order?

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jpountz.xxhash.XXHash64;
import net.jpountz.xxhash.XXHashFactory;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;

/** Offsets are left out; everything else of a record counts. The type of the
 * time may change from LogAppendTime (or none, in message sets of magic 0) to
 * CreateTime, as no client can write the others; --strict-type forbids it. */
final class Compare {
    private static final XXHash64 HASH = XXHashFactory.fastestInstance()
        .hash64();

    /** What is kept of a partition: a hash and the offset of each record. */
    private static final class Log {
        long[] hashes = new long[64];
        long[] offsets = new long[64];
        int size;

        void add(long hash, long offset) {
            if (size == hashes.length) {
                hashes = Arrays.copyOf(hashes, size * 2);
                offsets = Arrays.copyOf(offsets, size * 2);
            }
            hashes[size] = hash;
            offsets[size++] = offset;
        }
    }

    private final Client.Args args;
    private final String source;
    private final String target;
    private final boolean committed;
    private final boolean strict;
    private final Map<String, String> pairs = new LinkedHashMap<>();
    private final Map<Integer, Integer> partitionMap = new HashMap<>();
    private final Map<TopicPartition, Long> upto = new HashMap<>();
    private final Set<Integer> only = new HashSet<>();
    private final Set<String> strip = new HashSet<>();
    private long windowStart = Long.MIN_VALUE;
    private long windowEnd = Long.MAX_VALUE;

    Compare(Client.Args args) {
        this.args = args;
        source = args.bootstrap();
        target = args.get("-B", source);
        committed = !args.has("--uncommitted");
        strict = args.has("--strict-type");
        String prefix = args.get("--prefix", null);
        for (String word : args.words) {
            int at = word.indexOf('=');
            if (at < 0 && prefix == null)
                throw new Client.Failure("not SOURCE=TARGET: " + word);
            pairs.put(at < 0 ? word : word.substring(0, at),
                at < 0 ? prefix + word : word.substring(at + 1));
        }
        args.pairs("--partitions").forEach((k, v) ->
            partitionMap.put(Integer.valueOf(k), Integer.valueOf(v)));
        args.pairs("--upto").forEach((k, v) -> {
            int dash = k.lastIndexOf('-');
            upto.put(new TopicPartition(k.substring(0, dash),
                Integer.parseInt(k.substring(dash + 1))), Long.valueOf(v));
        });
        if (args.has("--source-partitions"))
            for (String p : args.get("--source-partitions", "").split(","))
                only.add(Integer.valueOf(p));
        if (args.has("--strip-headers"))
            strip.addAll(List.of(args.get("--strip-headers", "").split(",")));
        if (args.has("--window")) {
            String[] w = args.get("--window", "").split(":");
            windowStart = Long.parseLong(w[0]);
            windowEnd = Long.parseLong(w[1]);
        }
    }

    private static long mix(long seed, byte[] bytes) {
        if (bytes == null)
            return seed * 31 + 0x9e3779b97f4a7c15L;
        return HASH.hash(bytes, 0, bytes.length, seed + bytes.length);
    }

    private String type(ConsumerRecord<byte[], byte[]> r) {
        if (strict)
            return r.timestampType().name;
        return r.timestampType() == TimestampType.LOG_APPEND_TIME
            || r.timestampType() == TimestampType.NO_TIMESTAMP_TYPE
            ? TimestampType.CREATE_TIME.name : r.timestampType().name;
    }

    /** The source may lose a type that can't be written; the target, which was
     * written by a restore, must have CreateTime wherever that is so. */
    private long hash(ConsumerRecord<byte[], byte[]> r, boolean isTarget) {
        long h = mix(r.timestamp(), Batch.bytes(isTarget
            ? r.timestampType().name : type(r)));
        h = mix(h, r.key());
        h = mix(h, r.value());
        for (Header header : r.headers()) {
            if (isTarget && strip.contains(header.key()))
                continue;
            h = mix(h, Batch.bytes(header.key()));
            h = mix(h ^ 0x5bd1e995L, header.value());
        }
        return h;
    }

    private Map<TopicPartition, Log> readAll(String bootstrap,
                                             List<TopicPartition> partitions,
                                             boolean isTarget)
        throws Exception {
        Map<TopicPartition, Log> logs = new HashMap<>();
        partitions.forEach(p -> logs.put(p, new Log()));
        Dump.read(bootstrap, committed, partitions, r -> {
            TopicPartition p = new TopicPartition(r.topic(), r.partition());
            if (!isTarget && (r.timestamp() < windowStart
                    || r.timestamp() > windowEnd
                    || r.offset() >= upto.getOrDefault(p, Long.MAX_VALUE)))
                return;
            logs.get(p).add(hash(r, isTarget), r.offset());
        });
        return logs;
    }

    private String show(String bootstrap, TopicPartition p, Log log, int index)
        throws Exception {
        if (index >= log.size)
            return "nothing: it ends after " + log.size + " records";
        String[] text = {"?"};
        long offset = log.offsets[index];
        Dump.read(bootstrap, committed, List.of(p), r -> {
            if (r.offset() == offset)
                text[0] = "offset " + offset + " " + Dump.content(r);
        });
        return text[0];
    }

    int run() throws Exception {
        List<TopicPartition> left = new ArrayList<>();
        List<TopicPartition> right = new ArrayList<>();
        boolean equal = true;
        try (Admin a = Admins.admin(source); Admin b = Admins.admin(target)) {
            left.addAll(Admins.partitions(a, pairs.keySet()));
            right.addAll(Admins.partitions(b, new HashSet<>(pairs.values())));
        }
        left.removeIf(p -> !only.isEmpty() && !only.contains(p.partition()));
        Map<TopicPartition, Log> from = readAll(source, left, false);
        Map<TopicPartition, Log> to = readAll(target, right, true);
        long total = 0;
        Set<TopicPartition> used = new HashSet<>();
        Set<String> different = new HashSet<>();
        Map<String, long[]> sums = new LinkedHashMap<>();
        int shown = 0;
        for (TopicPartition p : left) {
            TopicPartition q = new TopicPartition(pairs.get(p.topic()),
                partitionMap.getOrDefault(p.partition(), p.partition()));
            used.add(q);
            Log x = from.get(p);
            Log y = to.get(q);
            if (y == null) {
                System.out.printf("DIFFERENT %s: there is no %s%n", p, q);
                different.add(p.topic());
                equal = false;
                continue;
            }
            int i = 0;
            while (i < x.size && i < y.size && x.hashes[i] == y.hashes[i])
                i++;
            total += x.size;
            long[] sum = sums.computeIfAbsent(p.topic(), t -> new long[2]);
            sum[0]++;
            sum[1] += x.size;
            if (i == x.size && i == y.size)
                continue;
            if (args.has("--subset") && i == y.size)
                continue;
            equal = false;
            different.add(p.topic());
            if (++shown > 10)
                continue;
            System.out.printf("DIFFERENT %s (%d records) and %s (%d records)"
                + " at record %d%n  source: %s%n  target: %s%n", p, x.size, q,
                y.size, i, show(source, p, x, i), show(target, q, y, i));
        }
        for (TopicPartition q : right)
            if (!used.contains(q) && to.get(q).size > 0) {
                equal = false;
                System.out.printf("DIFFERENT %s has %d records that no source"
                    + " partition has%n", q, to.get(q).size);
            } else if (!used.contains(q) && only.isEmpty()
                    && partitionMap.isEmpty()) {
                equal = false;
                System.out.printf("DIFFERENT %s has no source partition%n", q);
            }
        sums.keySet().removeAll(different);
        sums.forEach((topic, s) -> System.out.printf(
            "equal %s = %s: %d partitions, %d records%n", topic,
            pairs.get(topic), s[0], s[1]));
        if (total < args.number("--min", 0)) {
            System.out.printf("DIFFERENT from what is expected: %d records in"
                + " the source, %d wanted%n", total, args.number("--min", 0));
            equal = false;
        }
        return equal ? 0 : 1;
    }
}

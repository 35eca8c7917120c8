// SPDX-License-Identifier: Apache-2.0
// Batch.java - record batches and message sets built byte by byte, so that
// they can hold what KafkaProducer refuses to write.

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

final class Batch {
    static final byte[] NULL = null;

    record Rec(long timestamp, byte[] key, byte[] value, List<Header> headers) {
    }

    private final List<Rec> records = new ArrayList<>();
    private String codec = "none";
    private long producerId = -1;
    private short producerEpoch = -1;
    private int sequence = -1;
    private boolean transactional;

    Batch add(long timestamp, byte[] key, byte[] value, Header... headers) {
        records.add(new Rec(timestamp, key, value, List.of(headers)));
        return this;
    }

    Batch add(long timestamp, String key, String value, Header... headers) {
        return add(timestamp, bytes(key), bytes(value), headers);
    }

    Batch add(Rec record) {
        records.add(record);
        return this;
    }

    /** none, gzip, snappy (xerial framing), snappy-raw, lz4, zstd. */
    Batch codec(String name) {
        codec = name;
        return this;
    }

    Batch producer(long id, short epoch, int firstSequence, boolean inTxn) {
        producerId = id;
        producerEpoch = epoch;
        sequence = firstSequence;
        transactional = inTxn;
        return this;
    }

    int count() {
        return records.size();
    }

    static byte[] bytes(String s) {
        return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
    }

    static Header header(String name, String value) {
        return new RecordHeader(name, bytes(value));
    }

    static String codecOf(int attributes) {
        return new String[] {"none", "gzip", "snappy", "lz4", "zstd", "?", "?",
            "?"}[attributes & 7];
    }

    private static void varlong(ByteArrayOutputStream out, long n) {
        long v = (n << 1) ^ (n >> 63);
        while ((v & ~0x7fL) != 0) {
            out.write((int) (v & 0x7f | 0x80));
            v >>>= 7;
        }
        out.write((int) v);
    }

    private static void sized(ByteArrayOutputStream out, byte[] bytes) {
        if (bytes == null) {
            varlong(out, -1);
            return;
        }
        varlong(out, bytes.length);
        out.writeBytes(bytes);
    }

    private byte[] body(long base) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        int delta = 0;
        for (Rec r : records) {
            ByteArrayOutputStream one = new ByteArrayOutputStream();
            one.write(0);
            varlong(one, r.timestamp - base);
            varlong(one, delta++);
            sized(one, r.key);
            sized(one, r.value);
            varlong(one, r.headers.size());
            for (Header h : r.headers) {
                sized(one, bytes(h.key()));
                sized(one, h.value());
            }
            varlong(all, one.size());
            all.writeBytes(one.toByteArray());
        }
        return all.toByteArray();
    }

    static Compression compression(String name) {
        return Compression.of(CompressionType.forName(
            name.equals("snappy-raw") ? "snappy" : name)).build();
    }

    private byte[] compress(byte[] plain) {
        if (codec.equals("none"))
            return plain;
        try {
            if (codec.equals("snappy-raw"))
                return org.xerial.snappy.Snappy.compress(plain);
            ByteBufferOutputStream out = new ByteBufferOutputStream(1024);
            try (OutputStream z =
                     compression(codec).wrapForOutput(out, (byte) 2)) {
                z.write(plain);
            }
            ByteBuffer b = out.buffer();
            b.flip();
            byte[] bytes = new byte[b.remaining()];
            b.get(bytes);
            return bytes;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A batch of magic 2. */
    byte[] build() {
        long base = records.get(0).timestamp;
        long max = Long.MIN_VALUE;
        for (Rec r : records)
            max = Math.max(max, r.timestamp);
        byte[] body = compress(body(base));
        int attributes = compression(codec).type().id;
        if (transactional)
            attributes |= 0x10;
        ByteBuffer b = ByteBuffer.allocate(61 + body.length);
        b.putLong(0).putInt(49 + body.length).putInt(-1).put((byte) 2);
        b.putInt(0); // the checksum, below
        b.putShort((short) attributes).putInt(records.size() - 1);
        b.putLong(base).putLong(max);
        b.putLong(producerId).putShort(producerEpoch).putInt(sequence);
        b.putInt(records.size()).put(body);
        CRC32C crc = new CRC32C();
        crc.update(b.array(), 21, b.capacity() - 21);
        b.putInt(17, (int) crc.getValue());
        return b.array();
    }

    /** The same as a message set of magic 0 or 1, by Kafka's own writer. */
    byte[] buildOld(int magic) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(
            ByteBuffer.allocate(1 << 16), (byte) magic, compression(codec),
            TimestampType.CREATE_TIME, 0L);
        for (Rec r : records)
            builder.append(magic == 0 ? -1 : r.timestamp, r.key, r.value);
        ByteBuffer b = builder.build().buffer();
        byte[] bytes = new byte[b.remaining()];
        b.get(bytes);
        return bytes;
    }
}

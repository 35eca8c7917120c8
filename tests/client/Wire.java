// SPDX-License-Identifier: Apache-2.0
// Wire.java - Produce, Fetch and InitProducerId by hand, over one socket.

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Versions that Kafka 2.1 to 4.x share, none with flexible fields. */
final class Wire implements AutoCloseable {
    private final Socket socket;
    private final DataInputStream in;
    private final DataOutputStream out;
    private int correlation;

    Wire(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        socket = new Socket(address.substring(0, colon),
            Integer.parseInt(address.substring(colon + 1)));
        socket.setSoTimeout(60000);
        socket.setTcpNoDelay(true);
        in = new DataInputStream(socket.getInputStream());
        out = new DataOutputStream(socket.getOutputStream());
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    private static final class Body {
        final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        final DataOutputStream data = new DataOutputStream(bytes);

        Body string(String s) throws IOException {
            if (s == null) {
                data.writeShort(-1);
                return this;
            }
            byte[] b = s.getBytes(StandardCharsets.UTF_8);
            data.writeShort(b.length);
            data.write(b);
            return this;
        }
    }

    private ByteBuffer call(int key, int version, Body body)
        throws IOException {
        Body head = new Body();
        head.data.writeShort(key);
        head.data.writeShort(version);
        head.data.writeInt(++correlation);
        head.string("independent-client-raw");
        out.writeInt(head.bytes.size() + body.bytes.size());
        head.bytes.writeTo(out);
        body.bytes.writeTo(out);
        out.flush();
        byte[] answer = new byte[in.readInt()];
        in.readFully(answer);
        ByteBuffer b = ByteBuffer.wrap(answer);
        if (b.getInt() != correlation)
            throw new IOException("answer to another request");
        return b;
    }

    private static String string(ByteBuffer b) {
        byte[] s = new byte[Math.max(0, b.getShort())];
        b.get(s);
        return new String(s, StandardCharsets.UTF_8);
    }

    /** Appends one batch (or message set); returns its base offset. Waits out
     * NOT_LEADER and UNKNOWN_TOPIC, which a new topic answers for a while. */
    long produce(int version, String transactionalId, String topic,
                 int partition, byte[] records) throws Exception {
        for (int tries = 0;; tries++) {
            Body body = new Body();
            if (version >= 3)
                body.string(transactionalId);
            body.data.writeShort(-1);
            body.data.writeInt(30000);
            body.data.writeInt(1);
            body.string(topic);
            body.data.writeInt(1);
            body.data.writeInt(partition);
            body.data.writeInt(records.length);
            body.data.write(records);
            ByteBuffer b = call(0, version, body);
            b.getInt();
            string(b);
            b.getInt();
            b.getInt();
            short error = b.getShort();
            if (error == 0)
                return b.getLong();
            boolean transientError = error == 3 || error == 6 || error == 5;
            if (!transientError || tries > 600)
                throw new IOException("produce to " + topic + "-" + partition
                    + " refused with error " + error);
            Thread.sleep(100);
        }
    }

    long produce(String topic, int partition, Batch batch) throws Exception {
        return produce(7, null, topic, partition, batch.build());
    }

    /** Returns producer id and epoch. */
    long[] initProducerId(String transactionalId) throws Exception {
        for (int tries = 0; tries < 100; tries++) {
            Body body = new Body();
            body.string(transactionalId);
            body.data.writeInt(600000);
            ByteBuffer b = call(22, 1, body);
            b.getInt();
            short error = b.getShort();
            if (error == 0)
                return new long[] {b.getLong(), b.getShort()};
            if (error != 14 && error != 15 && error != 16)
                throw new IOException("InitProducerId: error " + error);
            Thread.sleep(100);
        }
        throw new IOException("InitProducerId: the coordinator never loads");
    }

    /** Makes the broker find (and so load) the transaction coordinator. */
    void findCoordinator(String transactionalId) throws Exception {
        for (int tries = 0; tries < 100; tries++) {
            Body body = new Body();
            body.string(transactionalId);
            body.data.writeByte(1);
            ByteBuffer b = call(10, 1, body);
            b.getInt();
            if (b.getShort() == 0)
                return;
            Thread.sleep(100);
        }
        throw new IOException("no transaction coordinator");
    }

    /** Replaces all configs of a topic (AlterConfigs v1, which every version
     * has; brokers before 2.3 have no other way). */
    void alterConfigs(String topic, Map<String, String> configs)
        throws IOException {
        Body body = new Body();
        body.data.writeInt(1);
        body.data.writeByte(2);
        body.string(topic);
        body.data.writeInt(configs.size());
        for (Map.Entry<String, String> e : configs.entrySet())
            body.string(e.getKey()).string(e.getValue());
        body.data.writeByte(0);
        ByteBuffer b = call(33, 1, body);
        b.getInt();
        b.getInt();
        short error = b.getShort();
        if (error != 0)
            throw new IOException("AlterConfigs of " + topic + ": error "
                + error + " " + string(b));
    }

    /** What a batch's header says. */
    record Head(long base, int size, byte magic, short attributes, int last,
                long baseTime, long maxTime, long pid, short epoch,
                int sequence, int count) {
        boolean control() {
            return (attributes & 0x20) != 0;
        }
    }

    /** The headers of all batches of a partition, from the given offset to
     * the end. Message sets of magic 0 and 1 are given as they lie there. */
    List<Head> heads(String topic, int partition, long from) throws Exception {
        List<Head> heads = new ArrayList<>();
        long position = from;
        int limit = 4 << 20;
        for (;;) {
            Body body = new Body();
            body.data.writeInt(-1);
            body.data.writeInt(100);
            body.data.writeInt(1);
            body.data.writeInt(limit);
            body.data.writeByte(0);
            body.data.writeInt(1);
            body.string(topic);
            body.data.writeInt(1);
            body.data.writeInt(partition);
            body.data.writeLong(position);
            body.data.writeInt(limit);
            ByteBuffer b = call(1, 4, body);
            b.getInt();
            b.getInt();
            string(b);
            b.getInt();
            b.getInt();
            short error = b.getShort();
            if (error != 0)
                throw new IOException("fetch of " + topic + "-" + partition
                    + " at " + position + ": error " + error);
            long high = b.getLong();
            b.getLong();
            int aborted = b.getInt();
            for (int i = 0; i < aborted; i++)
                b.position(b.position() + 16);
            int size = b.getInt();
            long before = position;
            int end = b.position() + Math.max(0, size);
            while (b.position() + 26 <= end) {
                int at = b.position();
                int length = b.getInt(at + 8);
                if (at + 12 + length > end)
                    break;
                byte magic = b.get(at + 16);
                if (magic < 2) {
                    heads.add(new Head(b.getLong(at), length + 12, magic,
                        b.get(at + 17), 0, magic == 1 ? b.getLong(at + 18) : -1,
                        -1, -1, (short) -1, -1, -1));
                    position = b.getLong(at) + 1;
                } else {
                    heads.add(new Head(b.getLong(at), length + 12, magic,
                        b.getShort(at + 21), b.getInt(at + 23),
                        b.getLong(at + 27), b.getLong(at + 35),
                        b.getLong(at + 43), b.getShort(at + 51),
                        b.getInt(at + 53), b.getInt(at + 57)));
                    position = b.getLong(at) + b.getInt(at + 23) + 1;
                }
                b.position(at + 12 + length);
            }
            if (position >= high)
                return heads;
            if (position == before)
                limit *= 2;
            if (limit > (1 << 29))
                throw new IOException("no progress at " + position);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
//
// Golden.java - wrote the files beside it, with kafka-clients 4.0.0:
//
//   java -cp kafka-clients-4.0.0.jar:... Golden.java write FOLDER
//   java -cp ... Golden.java read CODEC FILE     whether Java reads it, too
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

public class Golden {
    // What tests/unit/codec_golden.cc expects.
    static byte[] text() {
        StringBuilder text = new StringBuilder();
        for (long i = 0; i < 3000; i++)
            text.append("{\"id\":").append(i * 7919 % 1000).append("}\n");
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    static Compression codec(String name) {
        return Compression.of(CompressionType.forName(name)).build();
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("read")) {
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(Path.of(args[2])));
            try (InputStream in = codec(args[1]).wrapForInput(bytes, (byte) 2, BufferSupplier.create())) {
                if (!Arrays.equals(in.readAllBytes(), text()))
                    throw new IllegalStateException(args[2] + " holds other bytes");
            }
            System.out.println("Java reads " + args[2]);
            return;
        }
        for (String name : new String[] {"gzip", "snappy", "lz4", "zstd"})
            for (byte magic = 0; magic <= 2; magic += 2) {
                if (magic == 0 && !name.equals("lz4"))
                    continue; // the others are of one format
                ByteBufferOutputStream out = new ByteBufferOutputStream(1024);
                try (var to = codec(name).wrapForOutput(out, magic)) {
                    to.write(text());
                }
                ByteBuffer bytes = out.buffer();
                bytes.flip();
                byte[] array = new byte[bytes.remaining()];
                bytes.get(array);
                Files.write(Path.of(args[1], name + "-magic" + magic), array);
            }
    }
}

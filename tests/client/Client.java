// SPDX-License-Identifier: Apache-2.0
// Client.java - the independent client: Kafka's own library, nothing of ours.

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** One command a process; its words and options are in USAGE. */
public final class Client {
    static final String USAGE = """
        usage: Client COMMAND -b HOST:PORT[,...] ...

        fill [SHAPE...] [--prefix P] [--scale N]   makes topics of every shape;
             prints topic, shape, partitions, readable records, flags
             (--list prints groups and shapes; --plain: no producer ids)
        load TOPIC [--partitions N] [--records N] [--size BYTES]
             [--compression C] [--timestamp now|MS|-1|0] [--step MS]
             [--batch RECORDS] [--config K=V,...] [--rate RECORDS_PER_S]
             [--start N] [--magic 0|1|2] records whose value names partition
             and number
        dump TOPIC... [--uncommitted]              every record, one a line
        batches TOPIC... [--partition N]           every batch's header
        compare SOURCE=TARGET... [-B BOOTSTRAP_OF_TARGET] [--strict-type]
             [--partitions 0=5,1=0] [--source-partitions 0,2]
             [--window START:END] [--strip-headers a,b] [--prefix P TOPIC...]
             [--min RECORDS] [--upto TOPIC-PARTITION=OFFSET,...] [--subset]
             exit 1 and the first difference of each partition unless equal
        verify TOPIC... [--partitions N] [--records N]  what load wrote is there
             once, in order, and nothing else
        copy SOURCE TARGET [--mutate KIND,...]     a copy; or for each kind of
             error a copy TARGET.KIND that has it once
        topics | describe TOPIC... | ends TOPIC... | configs TOPIC...
        create TOPIC [PARTITIONS [REPLICAS]] [--config K=V,...]
        delete TOPIC... | delete-records TOPIC PARTITION OFFSET
        add-partitions TOPIC COUNT | set-config TOPIC K=V...
        member GROUP TOPIC --until FILE            of it, until there is FILE
        groups | group GROUP | commit GROUP TOPIC:PARTITION=OFFSET...
        quota CLIENT_ID PRODUCER_BYTES CONSUMER_BYTES   0 removes it
        abort TOPIC PARTITION                      what is open there
        move BROKER TOPIC...                       makes it their leader
        acls USER [topic=NAME:OP|group=NAME:OP|cluster:OP...]  these and no
             others; NAME* is a prefix; OP as kafka-acls spells it
        scram USER=PASSWORD...                     sets it, for both SCRAMs
        jmx PID BEAN ATTRIBUTE...                  sums over all beans that match
        """;

    private Client() { }

    /** Words and options of the command line. */
    static final class Args {
        final List<String> words = new ArrayList<>();
        private final Map<String, String> options = new HashMap<>();
        private static final List<String> FLAGS = List.of("--uncommitted",
            "--strict-type", "--list", "--subset", "--plain");

        Args(String[] argv) {
            for (int i = 1; i < argv.length; i++) {
                if (FLAGS.contains(argv[i]))
                    options.put(argv[i], "");
                else if (argv[i].startsWith("--") || argv[i].equals("-b")
                         || argv[i].equals("-B"))
                    options.put(argv[i], argv[++i]);
                else
                    words.add(argv[i]);
            }
        }

        boolean has(String name) {
            return options.containsKey(name);
        }

        String get(String name, String otherwise) {
            return options.getOrDefault(name, otherwise);
        }

        long number(String name, long otherwise) {
            return has(name) ? Long.parseLong(options.get(name)) : otherwise;
        }

        String bootstrap() {
            String b = get("-b", null);
            if (b == null)
                throw new Failure("-b HOST:PORT is missing");
            return b;
        }

        /** "a=1,b=2" as a map. */
        Map<String, String> pairs(String name) {
            Map<String, String> map = new HashMap<>();
            for (String pair : get(name, "").split(",")) {
                int at = pair.indexOf('=');
                if (at > 0)
                    map.put(pair.substring(0, at), pair.substring(at + 1));
            }
            return map;
        }
    }

    /** An error of the test's own; the message is all that is shown. */
    static final class Failure extends RuntimeException {
        Failure(String message) {
            super(message);
        }
    }

    static KafkaConsumer<byte[], byte[]> consumer(String bootstrap,
                                                  boolean committed) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("isolation.level",
            committed ? "read_committed" : "read_uncommitted");
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "none");
        p.put("allow.auto.create.topics", "false");
        p.put("max.poll.records", "5000");
        p.put("fetch.max.wait.ms", "20");
        p.put("fetch.max.bytes", "33554432");
        p.put("max.partition.fetch.bytes", "4194304");
        p.put("client.id", "independent-client");
        return new KafkaConsumer<>(p, new ByteArrayDeserializer(),
            new ByteArrayDeserializer());
    }

    /** Says "joined" when it has partitions; never commits. */
    private static int member(Args args) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", args.bootstrap());
        p.put("group.id", args.words.get(0));
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("session.timeout.ms", "6000");
        p.put("heartbeat.interval.ms", "1000");
        boolean told = false;
        try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(p,
                 new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            c.subscribe(List.of(args.words.get(1)));
            while (!Files.exists(Path.of(args.get("--until", "")))) {
                c.poll(Duration.ofMillis(100));
                if (!told && !c.assignment().isEmpty()) {
                    System.out.println("joined");
                    System.out.flush();
                    told = true;
                }
            }
        }
        return 0;
    }

    static int run(String[] argv) throws Exception {
        if (argv.length == 0)
            throw new Failure(USAGE);
        Args args = new Args(argv);
        switch (argv[0]) {
        case "fill":
            return new Fill(args).run();
        case "load":
            return Load.load(args);
        case "verify":
            return Load.verify(args);
        case "dump":
            return Dump.records(args);
        case "batches":
            return Dump.batches(args);
        case "compare":
            return new Compare(args).run();
        case "copy":
            return Copy.run(args);
        case "member":
            return member(args);
        case "jmx":
            return Jmx.run(args);
        default:
            return Admins.run(argv[0], args);
        }
    }

    public static void main(String[] argv) {
        int status;
        try {
            status = run(argv);
        } catch (Failure e) {
            System.err.println(e.getMessage());
            status = 2;
        } catch (Exception e) {
            e.printStackTrace();
            status = 2;
        }
        System.out.flush();
        Runtime.getRuntime().halt(status);
    }
}

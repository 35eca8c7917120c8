// SPDX-License-Identifier: Apache-2.0
// Admins.java - topics, configs, groups: what a test sets up or asks about.

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;

final class Admins {
    private Admins() { }

    static Admin admin(String bootstrap) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("client.id", "independent-admin");
        p.put("default.api.timeout.ms", "30000");
        return Admin.create(p);
    }

    /** New topics have no leader for a moment. */
    static void waitForLeaders(Admin admin, String topic, int partitions)
        throws Exception {
        for (int tries = 0; tries < 300; tries++) {
            try {
                TopicDescription d = admin.describeTopics(List.of(topic))
                    .allTopicNames().get().get(topic);
                if (d.partitions().size() >= partitions && d.partitions()
                        .stream().allMatch(p -> p.leader() != null
                            && !p.leader().isEmpty()))
                    return;
            } catch (ExecutionException e) {
                // not there yet
            }
            Thread.sleep(50);
        }
        throw new Client.Failure(topic + " gets no leaders");
    }

    static Map<String, TopicDescription> describe(Admin admin,
                                                  Collection<String> topics)
        throws Exception {
        try {
            return admin.describeTopics(topics).allTopicNames().get();
        } catch (ExecutionException e) {
            throw new Client.Failure("describing " + topics + ": "
                + e.getCause().getMessage());
        }
    }

    static List<TopicPartition> partitions(Admin admin,
                                           Collection<String> topics)
        throws Exception {
        List<TopicPartition> list = new ArrayList<>();
        Map<String, TopicDescription> all = describe(admin, topics);
        for (String topic : topics)
            for (TopicPartitionInfo p : all.get(topic).partitions())
                list.add(new TopicPartition(topic, p.partition()));
        return list;
    }

    static Map<TopicPartition, Long> offsets(Admin admin,
                                             Collection<String> topics,
                                             OffsetSpec spec)
        throws Exception {
        Map<TopicPartition, OffsetSpec> ask = new HashMap<>();
        for (TopicPartition p : partitions(admin, topics))
            ask.put(p, spec);
        Map<TopicPartition, Long> result = new HashMap<>();
        for (Map.Entry<TopicPartition, ListOffsetsResult.ListOffsetsResultInfo>
                 e : admin.listOffsets(ask).all().get().entrySet())
            result.put(e.getKey(), e.getValue().offset());
        return result;
    }

    static Map<TopicPartition, Long> starts(Admin admin,
                                            Collection<String> topics)
        throws Exception {
        return offsets(admin, topics, OffsetSpec.earliest());
    }

    static Map<ConfigResource, Collection<AlterConfigOp>> setConfig(
        String topic, Map<String, String> values) {
        List<AlterConfigOp> ops = new ArrayList<>();
        values.forEach((k, v) -> ops.add(new AlterConfigOp(
            new ConfigEntry(k, v), AlterConfigOp.OpType.SET)));
        return Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic),
            ops);
    }

    static int run(String command, Client.Args args) throws Exception {
        List<String> w = args.words;
        try (Admin admin = admin(args.bootstrap())) {
            switch (command) {
            case "topics":
                for (String t : new TreeSet<>(admin.listTopics().names().get()))
                    System.out.println(t);
                return 0;
            case "create":
                admin.createTopics(List.of(new NewTopic(w.get(0),
                    w.size() > 1 ? Integer.parseInt(w.get(1)) : 1,
                    (short) (w.size() > 2 ? Integer.parseInt(w.get(2)) : 1))
                    .configs(args.pairs("--config")))).all().get();
                waitForLeaders(admin, w.get(0),
                    w.size() > 1 ? Integer.parseInt(w.get(1)) : 1);
                return 0;
            case "delete":
                admin.deleteTopics(w).all().get();
                for (int i = 0; i < 100; i++) {
                    if (admin.listTopics().names().get().stream()
                            .noneMatch(w::contains))
                        return 0;
                    Thread.sleep(100);
                }
                throw new Client.Failure(w + " are still there");
            case "delete-records":
                admin.deleteRecords(Map.of(new TopicPartition(w.get(0),
                    Integer.parseInt(w.get(1))), RecordsToDelete.beforeOffset(
                    Long.parseLong(w.get(2))))).all().get();
                return 0;
            case "add-partitions":
                int count = Integer.parseInt(w.get(1));
                admin.createPartitions(Map.of(w.get(0),
                    NewPartitions.increaseTo(count))).all().get();
                waitForLeaders(admin, w.get(0), count);
                return 0;
            case "describe":
                describe(admin, w, args);
                return 0;
            case "ends":
                ends(admin, w);
                return 0;
            case "configs":
                configs(admin, w);
                return 0;
            case "set-config":
                Map<String, String> values = new HashMap<>();
                for (String pair : w.subList(1, w.size()))
                    values.put(pair.substring(0, pair.indexOf('=')),
                        pair.substring(pair.indexOf('=') + 1));
                admin.incrementalAlterConfigs(setConfig(w.get(0), values))
                    .all().get();
                return 0;
            case "groups":
                admin.listConsumerGroups().all().get().stream()
                    .map(g -> g.groupId()).sorted()
                    .forEach(System.out::println);
                return 0;
            case "group":
                Map<String, String> lines = new TreeMap<>();
                admin.listConsumerGroupOffsets(w.get(0))
                    .partitionsToOffsetAndMetadata().get().forEach((tp, o) ->
                        lines.put(tp.topic() + "\t" + tp.partition(),
                            o == null ? "-" : o.offset() + "\t"
                                + o.metadata()));
                lines.forEach((k, v) -> System.out.println(k + "\t" + v));
                return 0;
            case "commit":
                commit(admin, w);
                return 0;
            case "quota":
                quota(admin, w);
                return 0;
            case "acls":
                return Acls.set(admin, w);
            case "scram":
                return Users.set(admin, w);
            case "abort":
                abort(admin, new TopicPartition(w.get(0),
                    Integer.parseInt(w.get(1))));
                return 0;
            case "move":
                move(admin, w.subList(1, w.size()),
                    Integer.parseInt(w.get(0)));
                return 0;
            default:
                throw new Client.Failure(Client.USAGE);
            }
        } catch (ExecutionException e) {
            throw new Client.Failure(command + ": "
                + e.getCause().getMessage());
        }
    }

    private static void describe(Admin admin, List<String> topics,
                                 Client.Args args) throws Exception {
        Map<String, TopicDescription> all = describe(admin, topics);
        for (String topic : topics) {
            TopicDescription d = all.get(topic);
            System.out.printf("%s\tid=%s\tpartitions=%d\treplicas=%d%n", topic,
                d.topicId(), d.partitions().size(),
                d.partitions().get(0).replicas().size());
            for (TopicPartitionInfo p : d.partitions())
                System.out.printf("  %d\tleader=%s%n", p.partition(),
                    p.leader() == null ? "none" : p.leader().idString());
        }
    }

    private static void ends(Admin admin, List<String> topics)
        throws Exception {
        Map<TopicPartition, Long> first = starts(admin, topics);
        Map<TopicPartition, Long> last = offsets(admin, topics,
            OffsetSpec.latest());
        for (TopicPartition p : partitions(admin, topics))
            System.out.printf("%s\t%d\t%d\t%d%n", p.topic(), p.partition(),
                first.get(p), last.get(p));
    }

    private static void configs(Admin admin, List<String> topics)
        throws Exception {
        List<ConfigResource> ask = new ArrayList<>();
        for (String t : topics)
            ask.add(new ConfigResource(ConfigResource.Type.TOPIC, t));
        var all = admin.describeConfigs(ask).all().get();
        for (ConfigResource r : ask) {
            TreeMap<String, String> own = new TreeMap<>();
            for (ConfigEntry e : all.get(r).entries())
                if (e.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
                    own.put(e.name(), e.value());
            own.forEach((k, v) ->
                System.out.println(r.name() + "\t" + k + "=" + v));
        }
    }

    private static void commit(Admin admin, List<String> words)
        throws Exception {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (String word : words.subList(1, words.size())) {
            int equals = word.lastIndexOf('=');
            int colon = word.lastIndexOf(':', equals);
            offsets.put(new TopicPartition(word.substring(0, colon),
                Integer.parseInt(word.substring(colon + 1, equals))),
                new OffsetAndMetadata(Long.parseLong(
                    word.substring(equals + 1)), "by the test"));
        }
        admin.alterConsumerGroupOffsets(words.get(0), offsets).all().get();
    }

    private static void quota(Admin admin, List<String> words)
        throws Exception {
        List<ClientQuotaAlteration.Op> ops = new ArrayList<>();
        String[] names = {"producer_byte_rate", "consumer_byte_rate"};
        for (int i = 0; i < 2; i++) {
            double rate = Double.parseDouble(words.get(i + 1));
            ops.add(new ClientQuotaAlteration.Op(names[i],
                rate == 0 ? null : rate));
        }
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(
            new ClientQuotaEntity(Map.of("client-id", words.get(0))), ops)))
            .all().get();
    }

    private static void abort(Admin admin, TopicPartition p)
        throws Exception {
        for (ProducerState s : admin.describeProducers(List.of(p)).all().get()
                 .get(p).activeProducers())
            if (s.currentTransactionStartOffset().isPresent())
                admin.abortTransaction(new AbortTransactionSpec(p,
                    s.producerId(), (short) s.producerEpoch(),
                    s.coordinatorEpoch().orElse(0))).all().get();
    }

    private static void move(Admin admin, List<String> topics, int broker)
        throws Exception {
        Map<TopicPartition, Optional<NewPartitionReassignment>> plan =
            new HashMap<>();
        for (TopicDescription d : describe(admin, topics).values())
            for (TopicPartitionInfo p : d.partitions()) {
                List<Integer> replicas = new ArrayList<>();
                replicas.add(broker);
                p.replicas().forEach(n -> {
                    if (n.id() != broker)
                        replicas.add(n.id());
                });
                plan.put(new TopicPartition(d.name(), p.partition()),
                    Optional.of(new NewPartitionReassignment(replicas)));
            }
        admin.alterPartitionReassignments(plan).all().get();
        for (int i = 0; i < 100; i++) {
            if (admin.listPartitionReassignments(plan.keySet())
                    .reassignments().get().isEmpty())
                break;
            Thread.sleep(100);
        }
        try {
            admin.electLeaders(ElectionType.PREFERRED, plan.keySet()).all()
                .get();
        } catch (ExecutionException e) {
            if (!String.valueOf(e.getMessage()).contains("ElectionNotNeeded"))
                throw e;
        }
    }
}

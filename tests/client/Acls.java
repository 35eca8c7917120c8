// SPDX-License-Identifier: Apache-2.0
// Acls.java - what a user of the cluster is allowed.

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourcePatternFilter;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.utils.SecurityUtils;

final class Acls {
    private Acls() { }

    /** "topic=orders:Read", "group=b*:Describe" (a prefix), "cluster:Describe". */
    private static AclBinding parse(String user, String word) {
        int colon = word.lastIndexOf(':');
        String resource = word.substring(0, colon);
        int equals = resource.indexOf('=');
        String kind = equals < 0 ? resource : resource.substring(0, equals);
        String name = equals < 0 ? "kafka-cluster"
            : resource.substring(equals + 1);
        boolean prefix = name.length() > 1 && name.endsWith("*");
        return new AclBinding(
            new ResourcePattern(ResourceType.fromString(kind),
                prefix ? name.substring(0, name.length() - 1) : name,
                prefix ? PatternType.PREFIXED : PatternType.LITERAL),
            new AccessControlEntry("User:" + user, "*",
                SecurityUtils.operation(word.substring(colon + 1)),
                AclPermissionType.ALLOW));
    }

    private static void check(Set<AclBinding> wanted) {
        for (AclBinding b : wanted)
            if (b.entry().operation() == AclOperation.UNKNOWN
                    || b.pattern().resourceType() == ResourceType.UNKNOWN)
                throw new Client.Failure("no such ACL: " + b);
    }

    /** The user's ACLs are these, and the broker knows it. */
    static int set(Admin admin, List<String> words) throws Exception {
        String user = words.get(0);
        AclBindingFilter users = new AclBindingFilter(
            ResourcePatternFilter.ANY, new AccessControlEntryFilter(
                "User:" + user, null, AclOperation.ANY,
                AclPermissionType.ANY));
        Set<AclBinding> wanted = new HashSet<>();
        for (String word : words.subList(1, words.size()))
            wanted.add(parse(user, word));
        check(wanted);
        admin.deleteAcls(List.of(users)).all().get();
        admin.createAcls(new ArrayList<>(wanted)).all().get();
        for (int i = 0; i < 200; i++) {
            if (wanted.equals(new HashSet<>(
                    admin.describeAcls(users).values().get())))
                return 0;
            Thread.sleep(50);
        }
        throw new Client.Failure("the ACLs of " + user + " don't take");
    }
}

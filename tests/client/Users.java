// SPDX-License-Identifier: Apache-2.0
// Users.java - passwords of SCRAM.

import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialAlteration;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;

final class Users {
    private Users() { }

    /** "USER=PASSWORD", spelled as in a properties file; both SCRAMs. */
    static int set(Admin admin, List<String> words) throws Exception {
        Properties users = new Properties();
        for (String word : words)
            users.load(new StringReader(word));
        // no user twice in one request
        for (ScramMechanism m : List.of(ScramMechanism.SCRAM_SHA_256,
                 ScramMechanism.SCRAM_SHA_512)) {
            List<UserScramCredentialAlteration> all = new ArrayList<>();
            for (String user : users.stringPropertyNames())
                all.add(new UserScramCredentialUpsertion(user,
                    new ScramCredentialInfo(m, 8192),
                    users.getProperty(user)));
            admin.alterUserScramCredentials(all).all().get();
        }
        return 0;
    }
}

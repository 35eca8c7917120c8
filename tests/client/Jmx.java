// SPDX-License-Identifier: Apache-2.0
// Jmx.java - what a broker on this machine counts itself, by its own beans.

import com.sun.tools.attach.VirtualMachine;
import java.util.TreeMap;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** Attaches to the process, so that no port has to be opened for it. */
final class Jmx {
    private Jmx() { }

    /** Prints each attribute's sum over all beans that match. */
    static int run(Client.Args args) throws Exception {
        VirtualMachine vm = VirtualMachine.attach(args.words.get(0));
        TreeMap<String, Double> sums = new TreeMap<>();
        try (JMXConnector jmx = JMXConnectorFactory.connect(
                 new JMXServiceURL(vm.startLocalManagementAgent()))) {
            MBeanServerConnection beans = jmx.getMBeanServerConnection();
            var found = beans.queryNames(
                new ObjectName(args.words.get(1)), null);
            if (found.isEmpty())
                throw new Client.Failure("no bean " + args.words.get(1));
            for (ObjectName bean : found)
                for (String name : args.words.subList(2, args.words.size()))
                    sums.merge(name, ((Number) beans.getAttribute(bean, name))
                        .doubleValue(), Double::sum);
        } finally {
            vm.detach();
        }
        sums.forEach((name, sum) -> System.out.printf("%s\t%.0f%n", name, sum));
        return 0;
    }
}

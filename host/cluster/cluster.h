/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster.h - a Kafka cluster as the configuration describes it: both planes,
 * with one security and the same addresses.
 */
#ifndef KB_CLUSTER_CLUSTER_H
#define KB_CLUSTER_CLUSTER_H

#include "config/config.h"
#include "kafka/admin.h"
#include "kafka/auth.h"
#include "kafka/client.h"

struct kb_cluster {
    struct kb_net_config net;
    struct kb_client *client;     /* the data plane */
    struct kb_admin *admin;       /* the control plane */
    struct kb_security *security; /* NULL: PLAINTEXT */
    struct kb_auth_settings auth;
    struct kb_kv *sasl_values;
    struct kb_broker_override *overrides;
    char **servers; /* the settings' */
    size_t server_count;
};

/*
 * Read certificates, open the SASL plugin, and make the client; doesn't
 * connect.  Settings, registry and `stop` outlive it.  kb_cluster_close() it
 * after a failure, too.
 */
int kb_cluster_open(struct kb_cluster *cluster,
                    const struct kb_kafka_settings *settings,
                    struct kb_registry *registry, struct kb_stop *stop,
                    struct kbp_error *err);

/* Open `admin`, once the cluster is known to answer: librdkafka's own errors
   say less. */
int kb_cluster_open_admin(struct kb_cluster *cluster, struct kbp_error *err);

/* Takes zero values. */
void kb_cluster_close(struct kb_cluster *cluster);

#endif

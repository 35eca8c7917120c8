/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c - a Kafka cluster as the configuration describes it. */
#include "cluster/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "metrics/metrics.h"

static int make_overrides(struct kb_cluster *cluster,
                          const struct kb_override_settings *from,
                          struct kbp_error *err)
{
    size_t i;

    cluster->overrides = calloc(from->count + 1, sizeof *cluster->overrides);
    if (!cluster->overrides)
        return kb_fail_nomem(err, "broker addresses");
    for (i = 0; i < from->count; i++)
        cluster->overrides[i] = (struct kb_broker_override){
            .from_host = from->items[i].from_host,
            .from_port = from->items[i].from_port,
            .to_host = from->items[i].to_host,
            .to_port = from->items[i].to_port,
        };
    cluster->net.overrides = cluster->overrides;
    cluster->net.override_count = from->count;
    return KBP_OK;
}

static int open_security(struct kb_cluster *cluster,
                         const struct kb_security_settings *from,
                         struct kb_registry *registry, struct kb_stop *stop,
                         struct kbp_error *err)
{
    enum kb_security_protocol protocol = from->protocol;
    size_t i;

    cluster->sasl_values =
        calloc(from->sasl.count + 1, sizeof *cluster->sasl_values);
    if (!cluster->sasl_values)
        return kb_fail_nomem(err, "SASL settings");
    for (i = 0; i < from->sasl.count; i++)
        cluster->sasl_values[i] = (struct kb_kv){
            from->sasl.items[i].name, from->sasl.items[i].value.text};
    cluster->auth = (struct kb_auth_settings){
        .tls = protocol == KB_SSL || protocol == KB_SASL_SSL,
        .sasl = protocol == KB_SASL_PLAINTEXT || protocol == KB_SASL_SSL,
        .tls_settings =
            {
                .ca_location = from->ssl_ca_location,
                .certificate_location = from->ssl_certificate_location,
                .key_location = from->ssl_key_location,
                .key_password = from->ssl_key_password.text
                                    ? &from->ssl_key_password
                                    : NULL,
                .key_password_file = from->ssl_key_password_file,
                .verify_host = from->ssl_verify_host,
            },
        .mechanism = from->sasl_mechanism,
        .sasl_values = cluster->sasl_values,
        .sasl_value_count = from->sasl.count,
        .reauthenticated = kb_metrics_reauthentication,
    };
    return kb_auth_open(&cluster->auth, registry, stop, &cluster->security,
                        err);
}

int kb_cluster_open(struct kb_cluster *cluster,
                    const struct kb_kafka_settings *settings,
                    struct kb_registry *registry, struct kb_stop *stop,
                    struct kbp_error *err)
{
    const struct kb_connection_settings *c = &settings->connection;
    int status;

    memset(cluster, 0, sizeof *cluster);
    kb_net_config_init(&cluster->net, stop);
    cluster->net.client_id = c->client_id;
    cluster->net.client_rack = c->client_rack;
    cluster->net.connect_timeout_ms = c->connect_timeout_ms;
    cluster->net.request_timeout_ms = c->request_timeout_ms;
    cluster->net.tcp_nodelay = c->tcp_nodelay;
    cluster->net.tcp_keepalive = c->tcp_keepalive;
    cluster->net.keepalive_time_secs = (int)(c->keepalive_time_ms / 1000);
    cluster->net.keepalive_interval_secs =
        (int)(c->keepalive_interval_ms / 1000);
    cluster->servers = settings->bootstrap_servers.items;
    cluster->server_count = settings->bootstrap_servers.count;
    status = make_overrides(cluster, &c->broker_overrides, err);
    if (status == KBP_OK)
        status =
            open_security(cluster, &settings->security, registry, stop, err);
    cluster->net.security = cluster->security;
    if (status == KBP_OK)
        status =
            kb_client_new(&cluster->net, (const char *const *)cluster->servers,
                          cluster->server_count, &cluster->client, err);
    return status;
}

int kb_cluster_open_admin(struct kb_cluster *cluster, struct kbp_error *err)
{
    return kb_admin_open(&cluster->net, (const char *const *)cluster->servers,
                         cluster->server_count, &cluster->admin, err);
}

void kb_cluster_close(struct kb_cluster *cluster)
{
    kb_admin_close(cluster->admin);
    kb_client_free(cluster->client);
    kb_auth_close(cluster->security);
    free(cluster->sasl_values);
    free(cluster->overrides);
    memset(cluster, 0, sizeof *cluster);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - what there is for one conf object, and for the client made of it:
 * properties, plugins, connections.
 *
 * Nothing here starts a thread or opens a plugin before the first connection,
 * so that a conf made in a parent can be used in a forked child.
 */
#ifndef KB_RDKAFKA_CLIENT_H
#define KB_RDKAFKA_CLIENT_H

#include "properties.h"
#include "rdkafka_api.h"

struct kb_client_state;

/* `api` is kept. */
int kb_client_state_new(const struct kb_rdkafka_api *api,
                        struct kb_client_state **state, struct kbp_error *err);

/* Its conf is gone, and so is the client: ends its connections. */
void kb_client_state_free(struct kb_client_state *state);

/* What it was made with, and the properties that it collects. */
const struct kb_rdkafka_api *
kb_client_state_api(const struct kb_client_state *state);
struct kb_properties *kb_client_state_properties(struct kb_client_state *state);

/*
 * Whether the mechanism's plugin can be had: KBP_OK, or why not with the files
 * and folders that were looked at.
 */
int kb_client_state_check(struct kb_client_state *state, const char *mechanism,
                          struct kbp_error *err);

/*
 * For librdkafka's callbacks, of a broker thread; see pump_set.h.  The first
 * one opens plugins and certificates; what fails there is told to librdkafka
 * by each connection.
 */
int kb_client_state_socket(struct kb_client_state *state);
int kb_client_state_connect(struct kb_client_state *state, int fd,
                            const char *node);

/* Whether its own inner rd_kafka_conf_set() is at work: not to be looked at. */
bool *kb_client_state_inside(struct kb_client_state *state);

#endif

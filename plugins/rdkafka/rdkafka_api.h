/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rdkafka_api.h - the librdkafka which loaded us, without linking any.
 *
 * A process may hold several copies (a wheel's, the system's, one in the
 * program itself); what we call must be in the one that called us.
 */
#ifndef KB_RDKAFKA_API_H
#define KB_RDKAFKA_API_H

#include <librdkafka/rdkafka.h>

#define KB_RDKAFKA_FUNCTIONS(XX)                      \
    XX(rd_kafka_conf_interceptor_add_on_conf_set)     \
    XX(rd_kafka_conf_interceptor_add_on_conf_destroy) \
    XX(rd_kafka_conf_interceptor_add_on_new)          \
    XX(rd_kafka_interceptor_add_on_thread_start)      \
    XX(rd_kafka_interceptor_add_on_thread_exit)       \
    XX(rd_kafka_conf_set_socket_cb)                   \
    XX(rd_kafka_conf_set_connect_cb)                  \
    XX(rd_kafka_conf_set)                             \
    XX(rd_kafka_conf_get)                             \
    XX(rd_kafka_version)                              \
    XX(rd_kafka_version_str)

struct kb_rdkafka_api {
#define XX(function) __typeof__(function) *function;
    KB_RDKAFKA_FUNCTIONS(XX)
#undef XX
};

/*
 * The functions of the librdkafka that `caller` (a code address) is in: by
 * dlsym(), else from the symbol table of its file, for programs which have it
 * linked in and don't export it.  NULL, and why in `errstr`.  The result is
 * kept for the life of the process.  [any thread]
 */
const struct kb_rdkafka_api *kb_rdkafka_find(const void *caller, char *errstr,
                                             size_t errstr_size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf.c - kafka_backup_sasl.so, as librdkafka sees it: a plugin for
 * `plugin.library.paths` that makes TLS and SASL ours.
 *
 * Each property passes on_conf_set(): what is ours is recorded and kept from
 * librdkafka, which is told to speak SASL PLAIN in the clear, to a socketpair
 * whose other end is a pump.  An error is returned when a property is set, not
 * by a failing rd_kafka_new(): before 2.13.0 that frees interceptors twice.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "client.h"

#define NAME "kafka_backup_sasl"

/* In client.software.name: a copied conf brings our own values, not news. */
#define MARK "librdkafka-" NAME

/* Broker threads know their client from on_thread_start() on. */
static __thread struct kb_client_state *my_state;

/* A conf that was ours before it was set to PLAINTEXT again. */
static bool is_plaintext(struct kb_client_state *state)
{
    struct kb_protocol protocol =
        kb_properties_protocol(kb_client_state_properties(state));

    return !protocol.tls && !protocol.sasl;
}

static int socket_cb(int domain, int type, int protocol, void *opaque)
{
    (void)opaque;
    if (!my_state) {
        errno = EINVAL;
        return -1;
    }
    if (is_plaintext(my_state))
        return socket(domain, type | SOCK_CLOEXEC, protocol);
    return kb_client_state_socket(my_state);
}

static int connect_cb(int fd, const struct sockaddr *addr, int addrlen,
                      const char *id, void *opaque)
{
    (void)opaque;
    if (my_state && is_plaintext(my_state))
        return connect(fd, addr, (socklen_t)addrlen) == 0 ||
                       errno == EINPROGRESS
                   ? 0
                   : errno;
    return my_state ? kb_client_state_connect(my_state, fd, id) : EBADF;
}

/* Tell librdkafka what it is to believe, after each change. */
static void apply(struct kb_client_state *state, rd_kafka_conf_t *conf)
{
    static const char *const values[][2] = {
        {"security.protocol", "sasl_plaintext"},
        /* A socketpair has no Nagle; librdkafka 2.10 warns each time. */
        {"socket.nagle.disable", "false"},
        /* Dialling, TLS and a token from afar have to fit. */
        {"api.version.request.timeout.ms", "30000"},
        {"client.software.name", MARK},
    };
    const struct kb_rdkafka_api *api = kb_client_state_api(state);
    struct kb_protocol protocol =
        kb_properties_protocol(kb_client_state_properties(state));
    bool *inside = kb_client_state_inside(state);
    size_t i;

    *inside = true;
    if (!protocol.tls && !protocol.sasl) {
        (void)api->rd_kafka_conf_set(conf, "security.protocol", "plaintext",
                                     NULL, 0);
        *inside = false;
        return;
    }
    for (i = 0; i < sizeof values / sizeof values[0]; i++)
        (void)api->rd_kafka_conf_set(conf, values[i][0], values[i][1], NULL, 0);
    (void)api->rd_kafka_conf_set(conf, "sasl.mechanisms",
                                 protocol.relay ? "OAUTHBEARER" : "PLAIN", NULL,
                                 0);
    for (i = 0; !protocol.relay && i < 2; i++) {
        /* PLAIN wants both; a mechanism of ours may have neither. */
        const char *name = i ? "sasl.password" : "sasl.username";
        char have[8];
        size_t size = sizeof have;

        if (api->rd_kafka_conf_get(conf, name, have, &size) !=
                RD_KAFKA_CONF_OK ||
            !*have)
            (void)api->rd_kafka_conf_set(conf, name, KB_NOTHING_GIVEN, NULL, 0);
    }
    api->rd_kafka_conf_set_socket_cb(conf, socket_cb);
    api->rd_kafka_conf_set_connect_cb(conf, connect_cb);
    *inside = false;
}

/* Essentials first: some clients cut the text at 127 bytes. */
static rd_kafka_conf_res_t refuse(const struct kbp_error *err, char *errstr,
                                  size_t errstr_size)
{
    if (errstr && errstr_size > 0)
        (void)snprintf(errstr, errstr_size, "%s%s%s", err->message,
                       *err->hint ? "; " : "", err->hint);
    return RD_KAFKA_CONF_INVALID;
}

static int take(struct kb_client_state *state, const char *name,
                const char *value, struct kbp_error *err)
{
    int status = kb_property_check(name, value, err);
    bool is_mechanism = strcmp(name, "sasl.mechanism") == 0 ||
                        strcmp(name, "sasl.mechanisms") == 0;

    if (status == KBP_OK && is_mechanism && strcmp(value, "OAUTHBEARER") != 0)
        status = kb_client_state_check(state, value, err);
    if (status == KBP_OK)
        status = kb_properties_set(kb_client_state_properties(state), name,
                                   value, err);
    return status;
}

static rd_kafka_conf_res_t on_conf_set(rd_kafka_conf_t *conf, const char *name,
                                       const char *value, char *errstr,
                                       size_t errstr_size, void *opaque)
{
    struct kb_client_state *state = opaque;
    enum kb_property_owner owner = kb_property_owner(name);
    struct kbp_error err = KB_ERR_INIT;

    if (*kb_client_state_inside(state) || owner == KB_PROPERTY_THEIRS)
        return RD_KAFKA_CONF_UNKNOWN;
    if (owner == KB_PROPERTY_BOTH && strncmp(name, "sasl.", 5) == 0)
        return RD_KAFKA_CONF_UNKNOWN; /* the pump hears of it */
    if (take(state, name, value ? value : "", &err) != KBP_OK)
        return refuse(&err, errstr, errstr_size);
    if (owner == KB_PROPERTY_BOTH)
        return RD_KAFKA_CONF_UNKNOWN;
    apply(state, conf);
    return RD_KAFKA_CONF_OK;
}

static rd_kafka_resp_err_t on_conf_destroy(void *opaque)
{
    kb_client_state_free(opaque);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_thread_start(rd_kafka_t *rk,
                                           rd_kafka_thread_type_t type,
                                           const char *thread, void *opaque)
{
    (void)rk;
    (void)thread;
    if (type == RD_KAFKA_THREAD_BROKER)
        my_state = opaque;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_thread_exit(rd_kafka_t *rk,
                                          rd_kafka_thread_type_t type,
                                          const char *thread, void *opaque)
{
    (void)rk;
    (void)type;
    (void)thread;
    (void)opaque;
    my_state = NULL;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf,
                                  void *opaque, char *errstr,
                                  size_t errstr_size)
{
    const struct kb_rdkafka_api *api = kb_client_state_api(opaque);
    struct kb_protocol protocol =
        kb_properties_protocol(kb_client_state_properties(opaque));
    /* The client's own copy: what the application set after us is in it. */
    rd_kafka_conf_t *final = (rd_kafka_conf_t *)(uintptr_t)conf;

    (void)errstr;
    (void)errstr_size;
    /* With a socket of the application's own, user and password would go to
       the broker in the clear. */
    if (protocol.tls || protocol.sasl) {
        api->rd_kafka_conf_set_socket_cb(final, socket_cb);
        api->rd_kafka_conf_set_connect_cb(final, connect_cb);
    }
    (void)api->rd_kafka_interceptor_add_on_thread_exit(rk, NAME, on_thread_exit,
                                                       opaque);
    return api->rd_kafka_interceptor_add_on_thread_start(
        rk, NAME, on_thread_start, opaque);
}

/* A copy brings what we set ourselves; what the user set comes again. */
static bool is_copy(const struct kb_rdkafka_api *api, rd_kafka_conf_t *conf)
{
    char name[sizeof MARK + 1];
    size_t size = sizeof name;

    return api->rd_kafka_conf_get(conf, "client.software.name", name, &size) ==
               RD_KAFKA_CONF_OK &&
           strcmp(name, MARK) == 0;
}

/*
 * Before 2.0 librdkafka's default was not to verify host names.  Whoever wants
 * that has to say so after the plugin.
 */
static bool is_old_default(const struct kb_rdkafka_api *api, const char *name,
                           const char *value)
{
    return api->rd_kafka_version() < 0x02000000 &&
           strcmp(name, "ssl.endpoint.identification.algorithm") == 0 &&
           strcmp(value, "none") == 0;
}

/* A property's value, to be freed as a secret; NULL: it has no such property.
 */
static char *get(const struct kb_rdkafka_api *api, const rd_kafka_conf_t *conf,
                 const char *name)
{
    size_t size = 0;
    char *value;

    if (api->rd_kafka_conf_get(conf, name, NULL, &size) != RD_KAFKA_CONF_OK)
        return NULL;
    value = calloc(1, size + 1);
    if (value &&
        api->rd_kafka_conf_get(conf, name, value, &size) == RD_KAFKA_CONF_OK)
        return value;
    free(value);
    return NULL;
}

/*
 * Properties that were set before the plugin was loaded went to librdkafka;
 * set them again, so that they pass on_conf_set() and are kept for copies.
 */
static rd_kafka_conf_res_t take_over(const struct kb_rdkafka_api *api,
                                     rd_kafka_conf_t *conf, char *errstr,
                                     size_t errstr_size)
{
    static const struct {
        const char *name;
        const char *unset; /* librdkafka's own default */
    } earlier[] = {
        {"ssl.ca.location", ""},
        {"ssl.ca.pem", ""},
        {"ssl.certificate.location", ""},
        {"ssl.certificate.pem", ""},
        {"ssl.key.location", ""},
        {"ssl.key.pem", ""},
        {"ssl.key.password", ""},
        {"ssl.keystore.location", ""},
        {"ssl.keystore.password", ""},
        {"ssl.crl.location", ""},
        {"ssl.cipher.suites", ""},
        {"ssl.curves.list", ""},
        {"ssl.sigalgs.list", ""},
        {"ssl.engine.location", ""},
        {"ssl.providers", ""},
        {"ssl.endpoint.identification.algorithm", "https"},
        {"enable.ssl.certificate.verification", "true"},
        {"sasl.kerberos.service.name", "kafka"},
        {"sasl.kerberos.principal", "kafkaclient"},
        {"sasl.kerberos.keytab", ""},
        {"sasl.oauthbearer.method", "default"},
        {"sasl.oauthbearer.client.id", ""},
        {"sasl.oauthbearer.client.secret", ""},
        {"sasl.oauthbearer.scope", ""},
        {"sasl.oauthbearer.extensions", ""},
        {"sasl.oauthbearer.token.endpoint.url", ""},
        {"https.ca.location", ""},
        {"client.id", "rdkafka"},
        {"sasl.mechanisms", "GSSAPI"},
        {"security.protocol", "plaintext"},
    };
    enum { COUNT = sizeof earlier / sizeof earlier[0] };
    rd_kafka_conf_res_t res = RD_KAFKA_CONF_OK;
    char *values[COUNT];
    size_t i;

    /* All are read before any is set: setting one changes others. */
    for (i = 0; i < COUNT; i++) {
        values[i] = get(api, conf, earlier[i].name);
        if (values[i] && (strcmp(values[i], earlier[i].unset) == 0 ||
                          is_old_default(api, earlier[i].name, values[i])))
            *values[i] = '\0';
    }
    for (i = 0; i < COUNT && res == RD_KAFKA_CONF_OK; i++)
        if (values[i] && *values[i])
            res = api->rd_kafka_conf_set(conf, earlier[i].name, values[i],
                                         errstr, errstr_size);
    for (i = 0; i < COUNT; i++)
        kb_free_secret_text(values[i]);
    return res;
}

/* The settings file, for programs whose order of properties is random. */
static int read_file(struct kb_client_state *state, rd_kafka_conf_t *conf,
                     struct kbp_error *err)
{
    const char *path = secure_getenv("KAFKA_BACKUP_SASL_CONF");
    struct kb_properties file = {NULL, 0};
    const struct kb_rdkafka_api *api = kb_client_state_api(state);
    char errstr[512];
    int status;
    size_t i;

    if (!path || !*path)
        return KBP_OK;
    status = kb_properties_read(&file, path, err);
    for (i = 0; status == KBP_OK && i < file.count; i++) {
        const char *name = file.items[i].name;

        if (api->rd_kafka_conf_set(conf, name, file.items[i].value.text, errstr,
                                   sizeof errstr) != RD_KAFKA_CONF_OK)
            status = kb_fail(err, KBP_ERR_CONFIG, "%s: %s", path, errstr);
    }
    kb_properties_release(&file);
    return status;
}

/* A guest in somebody's program says what it has to, and more when asked. */
static int set_log_level(struct kbp_error *err)
{
    static const char *const words[] = {"off", "error", "warn", "info",
                                        "debug"};
    const char *wanted = secure_getenv("KAFKA_BACKUP_SASL_LOG");
    int32_t i;

    if (!wanted || !*wanted)
        wanted = "warn";
    for (i = 0; i < 5; i++)
        if (strcmp(wanted, words[i]) == 0) {
            kb_log_init(KB_LOG_TEXT, KBP_LOG_ERROR - 1 + i);
            return KBP_OK;
        }
    return kb_fail(err, KBP_ERR_CONFIG,
                   "KAFKA_BACKUP_SASL_LOG: \"%s\" is none of off, error, warn, "
                   "info, debug",
                   wanted);
}

__attribute__((visibility("default"))) rd_kafka_resp_err_t
conf_init(rd_kafka_conf_t *conf, void **plug_opaque, char *errstr,
          size_t errstr_size);

rd_kafka_resp_err_t conf_init(rd_kafka_conf_t *conf, void **plug_opaque,
                              char *errstr, size_t errstr_size)
{
    const struct kb_rdkafka_api *api =
        kb_rdkafka_find(__builtin_return_address(0), errstr, errstr_size);
    struct kbp_error err = KB_ERR_INIT;
    struct kb_client_state *state;

    if (!api)
        return RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE;
    if (set_log_level(&err) != KBP_OK) {
        (void)refuse(&err, errstr, errstr_size);
        return RD_KAFKA_RESP_ERR__INVALID_ARG;
    }
    if (kb_client_state_new(api, &state, &err) != KBP_OK) {
        (void)refuse(&err, errstr, errstr_size);
        return RD_KAFKA_RESP_ERR__FAIL;
    }
    /* From here on the conf frees it. */
    (void)api->rd_kafka_conf_interceptor_add_on_conf_destroy(
        conf, NAME, on_conf_destroy, state);
    (void)api->rd_kafka_conf_interceptor_add_on_conf_set(conf, NAME,
                                                         on_conf_set, state);
    (void)api->rd_kafka_conf_interceptor_add_on_new(conf, NAME, on_new, state);
    *plug_opaque = state;
    if (!is_copy(api, conf) &&
        take_over(api, conf, errstr, errstr_size) != RD_KAFKA_CONF_OK)
        return RD_KAFKA_RESP_ERR__INVALID_ARG;
    if (read_file(state, conf, &err) != KBP_OK) {
        (void)refuse(&err, errstr, errstr_size);
        return RD_KAFKA_RESP_ERR__INVALID_ARG;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - what there is for one conf object, and for the client made of
 * it. */
#include "client.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "at_exit.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/pump_set.h"

/* Below librdkafka's socket.connection.setup.timeout.ms, or the text is lost.
 */
#define CONNECT_MS 25000

/* The mechanism, opened with one user and password. */
struct login {
    struct login *next;
    struct kb_secret user;
    struct kb_secret password;
    struct kb_sasl_values values;
    struct kb_security *security;
};

struct kb_client_state {
    const struct kb_rdkafka_api *api;
    struct kb_properties properties;
    bool inside;
    bool registry_open;
    struct kb_registry registry;
    pthread_mutex_t lock; /* of what follows, from the first connection on */
    bool begun;
    struct kbp_error failed; /* why it couldn't begin */
    struct kb_auth_settings transport_settings;
    struct kb_security *transport; /* TLS alone; or NULL */
    struct kb_net_config net;
    struct kb_pump_set *pumps;
    struct login *logins;
};

int kb_client_state_new(const struct kb_rdkafka_api *api,
                        struct kb_client_state **state, struct kbp_error *err)
{
    struct kb_client_state *made = calloc(1, sizeof *made);

    if (!made)
        return kb_fail_nomem(err, "a client");
    made->api = api;
    (void)pthread_mutex_init(&made->lock, NULL);
    *state = made;
    return KBP_OK;
}

static void login_free(struct login *login)
{
    kb_auth_close(login->security);
    kb_sasl_values_release(&login->values);
    kb_secret_release(&login->user);
    kb_secret_release(&login->password);
    free(login);
}

void kb_client_state_free(struct kb_client_state *state)
{
    if (!state)
        return;
    kb_at_exit_forget(state->pumps);
    kb_pump_set_free(state->pumps);
    while (state->logins) {
        struct login *next = state->logins->next;

        login_free(state->logins);
        state->logins = next;
    }
    kb_auth_close(state->transport);
    if (state->registry_open)
        kb_registry_release(&state->registry);
    kb_properties_release(&state->properties);
    (void)pthread_mutex_destroy(&state->lock);
    free(state);
}

const struct kb_rdkafka_api *
kb_client_state_api(const struct kb_client_state *state)
{
    return state->api;
}

struct kb_properties *kb_client_state_properties(struct kb_client_state *state)
{
    return &state->properties;
}

bool *kb_client_state_inside(struct kb_client_state *state)
{
    return &state->inside;
}

/* Beside this very file: LIBDIR/kafka-backup/plugins; NULL if unknown. */
static char *own_dir(void)
{
    static const char inside;
    Dl_info info;
    char *real;
    char *slash;
    char *dir = NULL;

    if (!dladdr(&inside, &info))
        return NULL;
    real = realpath(info.dli_fname, NULL);
    slash = real ? strrchr(real, '/') : NULL;
    if (slash) {
        *slash = '\0';
        dir = kb_asprintf("%s/kafka-backup/plugins", real);
    }
    free(real);
    return dir;
}

static int open_registry(struct kb_client_state *state, struct kbp_error *err)
{
    const char *dir =
        kb_properties_get(&state->properties, "kafka_backup.plugin.dir");
    const char *env = secure_getenv("KAFKA_BACKUP_PLUGIN_DIR");
    char *own = NULL;
    int status;

    if (state->registry_open)
        return KBP_OK;
    if (!dir && !(env && *env))
        dir = own = own_dir();
    status = kb_registry_init(&state->registry, &dir, dir ? 1 : 0, err);
    state->registry_open = status == KBP_OK;
    free(own);
    return status;
}

int kb_client_state_check(struct kb_client_state *state, const char *mechanism,
                          struct kbp_error *err)
{
    const struct kb_type *type;
    int status = open_registry(state, err);

    if (status == KBP_OK)
        status = kb_registry_find(&state->registry, KB_KIND_SASL, mechanism,
                                  &type, err);
    return status;
}

/* The security that logs in as this user, opened if it isn't yet. */
static int open_login(struct kb_client_state *state, const char *user,
                      const char *password, struct login **made,
                      struct kbp_error *err)
{
    const char *mechanism =
        kb_properties_get(&state->properties, "sasl.mechanism");
    struct kb_auth_settings settings = {.sasl = true};
    const struct kb_type *type;
    struct login *login = calloc(1, sizeof *login);
    int status;

    if (!login)
        return kb_fail_nomem(err, "a login");
    settings.mechanism = mechanism ? mechanism : "GSSAPI";
    status = kb_registry_find(&state->registry, KB_KIND_SASL,
                              settings.mechanism, &type, err);
    if (status == KBP_OK)
        status = kb_secret_set(&login->user, user, strlen(user), err);
    if (status == KBP_OK)
        status =
            kb_secret_set(&login->password, password, strlen(password), err);
    if (status == KBP_OK)
        status = kb_properties_sasl(&state->properties, type, login->user.text,
                                    login->password.text, &login->values, err);
    settings.sasl_values = login->values.items;
    settings.sasl_value_count = login->values.count;
    settings.over_tls = state->transport_settings.tls;
    if (status == KBP_OK)
        status = kb_auth_open(&settings, &state->registry, NULL,
                              &login->security, err);
    if (status != KBP_OK)
        login_free(login);
    else
        *made = login;
    return status;
}

/* Called by a pump with what librdkafka's PLAIN message said. */
static int credentials(void *data, const char *user, const char *password,
                       struct kb_security **security, struct kbp_error *err)
{
    struct kb_client_state *state = data;
    struct login *login;
    int status = KBP_OK;

    (void)pthread_mutex_lock(&state->lock);
    for (login = state->logins; login; login = login->next)
        if (strcmp(login->user.text, user) == 0 &&
            strcmp(login->password.text, password) == 0)
            break;
    if (!login) {
        status = open_login(state, user, password, &login, err);
        if (status == KBP_OK) {
            login->next = state->logins;
            state->logins = login;
        }
    }
    if (status == KBP_OK)
        *security = login->security;
    (void)pthread_mutex_unlock(&state->lock);
    return status;
}

/* With the lock held, once. */
static int begin(struct kb_client_state *state, struct kbp_error *err)
{
    struct kb_protocol protocol = kb_properties_protocol(&state->properties);
    const char *id = kb_properties_get(&state->properties, "client.id");
    struct kb_pump_options options = {.net = &state->net, .data = state};
    int status = open_registry(state, &state->failed);

    kb_net_config_init(&state->net, NULL);
    state->net.client_id = id ? id : "rdkafka";
    state->net.connect_timeout_ms = CONNECT_MS;
    state->transport_settings.tls = protocol.tls;
    kb_properties_tls(&state->properties,
                      &state->transport_settings.tls_settings);
    if (status == KBP_OK)
        status = kb_auth_open(&state->transport_settings, &state->registry,
                              NULL, &state->transport, &state->failed);
    state->net.security = state->transport;
    options.relay = protocol.relay && status == KBP_OK;
    /* What could not even begin is told where librdkafka listens. */
    if (status != KBP_OK)
        options.refused = &state->failed;
    else if (protocol.sasl && !protocol.relay)
        options.credentials = credentials;
    status = kb_pump_set_new(&options, &state->pumps, err);
    if (status == KBP_OK)
        status = kb_at_exit_end(state->pumps, err);
    return status;
}

int kb_client_state_socket(struct kb_client_state *state)
{
    struct kbp_error err = KB_ERR_INIT;
    int status = KBP_OK;

    (void)pthread_mutex_lock(&state->lock);
    if (!state->pumps)
        status = begin(state, &err);
    (void)pthread_mutex_unlock(&state->lock);
    if (status != KBP_OK) {
        errno = ENOMEM;
        return -1;
    }
    return kb_pump_set_socket(state->pumps);
}

int kb_client_state_connect(struct kb_client_state *state, int fd,
                            const char *node)
{
    return state->pumps ? kb_pump_set_connect(state->pumps, fd, node) : EBADF;
}

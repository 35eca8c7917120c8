/* SPDX-License-Identifier: Apache-2.0 */
/* auth.c - the security of a cluster's connections, from its settings. */
#include "kafka/auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "kafka/sasl_exchange.h"
#include "kafka/tcp.h"

/* What a mechanism may take to log in again, a token from afar included. */
#define LOGIN_MS 30000

struct auth {
    struct kb_security base;
    struct kb_auth_settings settings;
    struct kb_stop *stop;
    struct kb_tls *tls;   /* or NULL */
    struct kb_sasl *sasl; /* or NULL */
    struct kb_security_ops ops;
};

struct kb_login {
    struct auth *auth;
    struct kbp_sasl_peer peer;
    struct kb_sasl_exchange *exchange; /* the one in progress; or NULL */
    char *host;
    char *client_id;
    char where[300];
    const char *user;
    unsigned times;  /* that it was done again */
    int16_t version; /* of SaslAuthenticate; -1: to be asked */
    struct kb_stop *stop;
    int64_t deadline_ms; /* of the first exchange */
    bool again;          /* it is authenticated already */
    int64_t began_ms;
    int64_t renew_at_ms;
};

static bool is_tls(const struct kb_auth_settings *settings)
{
    return settings->tls || settings->over_tls;
}

static int auth_wrap(struct kb_security *security, const struct kb_peer *peer,
                     struct kb_stream **stream, int64_t deadline_ms,
                     struct kbp_error *err)
{
    struct auth *auth = (struct auth *)security;
    char where[300];

    kb_tcp_join(peer->host, peer->port, where, sizeof where);
    return kb_tls_connect(auth->tls, stream, peer->host, where, deadline_ms,
                          err);
}

static void login_close(struct kb_login *login)
{
    if (!login)
        return;
    kb_sasl_exchange_free(login->exchange);
    free(login->host);
    free(login->client_id);
    free(login);
}

static int login_open(struct kb_security *security, const struct kb_peer *peer,
                      int64_t deadline_ms, struct kb_login **login,
                      struct kbp_error *err)
{
    struct auth *auth = (struct auth *)security;
    struct kb_login *made = calloc(1, sizeof *made);

    if (!made)
        return kb_fail_nomem(err, "a login");
    made->auth = auth;
    made->host = kb_strdup(peer->host);
    made->client_id = kb_strdup(peer->client_id);
    if (!made->host || !made->client_id) {
        login_close(made);
        return kb_fail_nomem(err, "a login");
    }
    made->peer.struct_size = sizeof made->peer;
    made->peer.flags = is_tls(&auth->settings) ? KBP_SASL_TLS : 0;
    made->peer.host = made->host;
    made->peer.port = peer->port;
    made->user = peer->user;
    made->stop = peer->stop ? peer->stop : auth->stop;
    made->deadline_ms = deadline_ms;
    made->renew_at_ms = KB_NEVER;
    made->version = -1;
    kb_tcp_join(peer->host, peer->port, made->where, sizeof made->where);
    *login = made;
    return KBP_OK;
}

void kb_login_versions_known(struct kb_login *login, int16_t authenticate)
{
    login->version = authenticate;
}

static int begin(struct kb_login *login, struct kb_buf *out,
                 struct kbp_error *err)
{
    struct kb_sasl_exchange_options options = {
        .sasl = login->auth->sasl,
        .peer = &login->peer,
        .client_id = login->client_id,
        .broker = login->where,
        .deadline_ms =
            login->again ? kb_deadline_ms(LOGIN_MS) : login->deadline_ms,
        .stop = login->stop,
        .authenticate_version = login->version,
    };
    int status;

    if (login->again)
        login->peer.flags |= KBP_SASL_REAUTH;
    login->renew_at_ms = KB_NEVER;
    login->began_ms = kb_now_ms();
    status = kb_sasl_exchange_new(&options, &login->exchange, err);
    return status == KBP_OK ? kb_sasl_exchange_start(login->exchange, out, err)
                            : status;
}

static void finished(struct kb_login *login)
{
    int64_t lifetime = kb_sasl_exchange_lifetime_ms(login->exchange);
    const char *mechanism = kb_sasl_mechanism(login->auth->sasl);
    bool once = (kb_sasl_type(login->auth->sasl)->flags & KBP_SASL_ONCE) != 0;

    login->version = kb_sasl_exchange_version(login->exchange);
    /* SaslAuthenticate 0 has no lifetime: such brokers can't do it again. */
    if (lifetime > 0 && login->version > 0 && !once)
        login->renew_at_ms = kb_now_ms() + kb_sasl_reauth_after_ms(
                                               lifetime, (uint32_t)kb_now_ns());
    if (login->again && login->auth->settings.reauthenticated)
        login->auth->settings.reauthenticated(true);
    if (login->again) {
        login->times++;
        kb_debug("%s%s%s: authenticated again in place with SASL %s in %lld "
                 "ms, time %u on this connection; good for %lld ms",
                 login->where, login->user ? " for " : "",
                 login->user ? login->user : "", mechanism,
                 (long long)(kb_now_ms() - login->began_ms), login->times,
                 (long long)lifetime);
    }
    login->again = true;
    kb_sasl_exchange_free(login->exchange);
    login->exchange = NULL;
}

/*
 * Kafka takes another principal on a new connection only: what came with the
 * renewed credentials is no failure of theirs.
 */
static bool is_other_principal(const struct kbp_error *err)
{
    return err->status == KBP_ERR_AUTH &&
           strstr(err->message, "Cannot change principals") != NULL;
}

static int failed(struct kb_login *login, struct kbp_error *err)
{
    kb_sasl_exchange_free(login->exchange);
    login->exchange = NULL;
    if (login->again && is_other_principal(err)) {
        kb_info("%s%s%s: the credentials are another principal's now: a new "
                "connection takes this one's place",
                login->where, login->user ? " for " : "",
                login->user ? login->user : "");
        return err->status;
    }
    if (!login->again)
        return err->status;
    if (login->auth->settings.reauthenticated)
        login->auth->settings.reauthenticated(false);
    (void)kb_err_wrap(err, "re-authentication in place failed");
    /* Whoever has the connection will only find that it is of no use. */
    if (err->status != KBP_ERR_CANCELLED)
        kb_log_err(KBP_LOG_ERROR, login->user, err);
    return err->status;
}

static int login_step(struct kb_login *login, const uint8_t *in, size_t in_len,
                      struct kb_buf *out, struct kbp_error *err)
{
    bool done = false;

    if (!in)
        return begin(login, out, err) == KBP_OK ? KBP_OK : failed(login, err);
    if (kb_sasl_exchange_answer(login->exchange, in, in_len, out, &done, err) !=
        KBP_OK)
        return failed(login, err);
    if (done)
        finished(login);
    return KBP_OK;
}

static int64_t login_renew_at_ms(const struct kb_login *login)
{
    return login->renew_at_ms;
}

static int open_sasl(struct auth *auth, struct kb_registry *registry,
                     struct kbp_error *err)
{
    const struct kb_auth_settings *s = &auth->settings;
    int status;

    if (!s->mechanism) {
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "security_protocol is SASL_%s, but there is no "
                      "sasl_mechanism",
                      is_tls(s) ? "SSL" : "PLAINTEXT");
        kb_err_hint(err, "set sasl_mechanism: PLAIN, SCRAM-SHA-512, GSSAPI, "
                         "OAUTHBEARER or AWS_MSK_IAM");
        return err->status;
    }
    status = kb_sasl_open(registry, s->mechanism, s->sasl_values,
                          s->sasl_value_count, &auth->sasl, err);
    if (status != KBP_OK)
        return status;
    if (!is_tls(s) && (kb_sasl_type(auth->sasl)->flags & KBP_SASL_CLEAR_SECRET))
        kb_warn("SASL %s over SASL_PLAINTEXT sends the secret as it is: who "
                "can listen on the network has it; use SASL_SSL",
                s->mechanism);
    return KBP_OK;
}

int kb_auth_open(const struct kb_auth_settings *settings,
                 struct kb_registry *registry, struct kb_stop *stop,
                 struct kb_security **security, struct kbp_error *err)
{
    struct auth *auth;
    int status = KBP_OK;

    if (!settings->tls && !settings->sasl) {
        *security = NULL;
        return KBP_OK;
    }
    auth = calloc(1, sizeof *auth);
    if (!auth)
        return kb_fail_nomem(err, "security");
    auth->settings = *settings;
    auth->stop = stop;
    auth->base.ops = &auth->ops;
    if (settings->tls) {
        auth->ops.wrap = auth_wrap;
        status = kb_tls_new(&settings->tls_settings, &auth->tls, err);
    }
    if (status == KBP_OK && settings->sasl) {
        auth->ops.login_open = login_open;
        auth->ops.login_step = login_step;
        auth->ops.login_renew_at_ms = login_renew_at_ms;
        auth->ops.login_close = login_close;
        status = open_sasl(auth, registry, err);
    }
    if (status != KBP_OK) {
        kb_auth_close(&auth->base);
        return status;
    }
    *security = &auth->base;
    return KBP_OK;
}

void kb_auth_close(struct kb_security *security)
{
    struct auth *auth = (struct auth *)security;

    if (!auth)
        return;
    kb_sasl_close(auth->sasl);
    kb_tls_free(auth->tls);
    free(auth);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* tls_context.c - a context that is made anew when its files change. */
#include "kafka/tls_context.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/tls_error.h"
#include "kafka/tls_load.h"

#define WARN_SECONDS (14 * 86400)
#define WARN_EVERY_MS ((int64_t)86400 * 1000)
#define WATCHED 6

/* Which state of a file was read; all zero where there is none. */
struct file_state {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
};

struct kb_tls {
    struct kb_tls_settings settings;
    pthread_mutex_t lock;
    SSL_CTX *context;
    struct file_state read[WATCHED];
    int64_t warned_own_ms; /* kb_now_ms(); 0: never */
    int64_t warned_peer_ms;
};

static const char *watched(const struct kb_tls *tls, int i)
{
    const struct kb_tls_settings *s = &tls->settings;
    const char *const paths[WATCHED] = {
        s->ca_location,       s->certificate_location, s->key_location,
        s->key_password_file, s->keystore_location,    s->crl_location};

    return paths[i];
}

static void look(const struct kb_tls *tls, struct file_state *states)
{
    int i;

    memset(states, 0, WATCHED * sizeof *states);
    for (i = 0; i < WATCHED; i++) {
        struct stat st;

        if (watched(tls, i) && stat(watched(tls, i), &st) == 0) {
            states[i].dev = st.st_dev;
            states[i].ino = st.st_ino;
            states[i].size = st.st_size;
            states[i].changed = st.st_mtim;
        }
    }
}

static int make_context(struct kb_tls *tls, SSL_CTX **made,
                        struct kbp_error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int status;

    if (!context)
        return kb_fail(err, KBP_ERR_NOMEM, "TLS: %s", kb_tls_reason());
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 256 * 1024);
    status = kb_tls_load(&tls->settings, context, err);
    if (status != KBP_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *made = context;
    return KBP_OK;
}

int kb_tls_new(const struct kb_tls_settings *settings, struct kb_tls **tls,
               struct kbp_error *err)
{
    struct kb_tls *made = calloc(1, sizeof *made);
    int status;

    if (!made)
        return kb_fail_nomem(err, "TLS");
    made->settings = *settings;
    (void)pthread_mutex_init(&made->lock, NULL);
    look(made, made->read);
    status = make_context(made, &made->context, err);
    if (status != KBP_OK) {
        (void)pthread_mutex_destroy(&made->lock);
        free(made);
        return status;
    }
    if (settings->trust_anyone)
        kb_warn("TLS: certificates are not verified "
                "(enable.ssl.certificate.verification=false): anybody can "
                "stand in for a broker, and read what is sent to it");
    else if (!settings->verify_host)
        kb_warn("TLS: host names are not verified "
                "(ssl_endpoint_identification_algorithm: none): anybody with "
                "a certificate of the same CA can stand in for a broker");
    kb_tls_warn_expiry(made, SSL_CTX_get0_certificate(made->context), NULL);
    *tls = made;
    return KBP_OK;
}

void kb_tls_free(struct kb_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    (void)pthread_mutex_destroy(&tls->lock);
    free(tls);
}

/* With the lock held. */
static void renew(struct kb_tls *tls)
{
    struct file_state now[WATCHED];
    struct kbp_error err = KB_ERR_INIT;
    SSL_CTX *context;

    look(tls, now);
    if (memcmp(now, tls->read, sizeof now) == 0)
        return;
    if (make_context(tls, &context, &err) != KBP_OK) {
        kb_log_err(KBP_LOG_WARN,
                   "TLS: the files changed, but can't be used; going on with "
                   "what was read before",
                   &err);
        return;
    }
    kb_info("TLS: certificates were read again after a change of their files");
    SSL_CTX_free(tls->context);
    tls->context = context;
    memcpy(tls->read, now, sizeof now);
    tls->warned_own_ms = 0;
}

int kb_tls_context(struct kb_tls *tls, SSL_CTX **context, struct kbp_error *err)
{
    int ok;

    (void)pthread_mutex_lock(&tls->lock);
    renew(tls);
    ok = SSL_CTX_up_ref(tls->context);
    if (ok)
        *context = tls->context;
    (void)pthread_mutex_unlock(&tls->lock);
    if (!ok)
        return kb_fail_nomem(err, "TLS");
    kb_tls_warn_expiry(tls, SSL_CTX_get0_certificate(*context), NULL);
    return KBP_OK;
}

const struct kb_tls_settings *kb_tls_settings_of(const struct kb_tls *tls)
{
    return &tls->settings;
}

void kb_tls_warn_expiry(struct kb_tls *tls, X509 *cert, const char *whose)
{
    int64_t now = kb_now_ms();
    int64_t *warned = whose ? &tls->warned_peer_ms : &tls->warned_own_ms;
    int days;
    int seconds;
    bool due;

    if (!cert ||
        !ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) ||
        (int64_t)days * 86400 + seconds > WARN_SECONDS)
        return;
    (void)pthread_mutex_lock(&tls->lock);
    due = *warned == 0 || now - *warned > WARN_EVERY_MS;
    if (due)
        *warned = now;
    (void)pthread_mutex_unlock(&tls->lock);
    if (!due)
        return;
    if (days < 0 || seconds < 0)
        kb_warn("TLS: the certificate of %s has expired",
                whose ? whose : kb_tls_own_name(&tls->settings));
    else
        kb_warn("TLS: the certificate of %s expires in %d day%s",
                whose ? whose : kb_tls_own_name(&tls->settings), days,
                days == 1 ? "" : "s");
}

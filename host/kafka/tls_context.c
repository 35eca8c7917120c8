/* SPDX-License-Identifier: Apache-2.0 */
/* tls_context.c - certificates, keys and CAs from files, read again when they
 * change. */
#include "kafka/tls_context.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/tls_error.h"

#define WARN_SECONDS (14 * 86400)
#define WARN_EVERY_MS ((int64_t)86400 * 1000)
#define WATCHED 4

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
    const char *const paths[WATCHED] = {s->ca_location, s->certificate_location,
                                        s->key_location, s->key_password_file};

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

static int load_ca(const struct kb_tls_settings *s, SSL_CTX *context,
                   struct kbp_error *err)
{
    struct stat st;
    int ok;

    if (!s->ca_location) {
        if (SSL_CTX_set_default_verify_paths(context) == 1)
            return KBP_OK;
        return kb_fail(err, KBP_ERR_CONFIG,
                       "TLS: the system's CA store can't be read: %s",
                       kb_tls_reason());
    }
    if (stat(s->ca_location, &st) != 0)
        return kb_fail_errno(err, errno, "ssl_ca_location %s", s->ca_location);
    ok = S_ISDIR(st.st_mode)
             ? SSL_CTX_load_verify_dir(context, s->ca_location)
             : SSL_CTX_load_verify_file(context, s->ca_location);
    if (ok != 1)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "ssl_ca_location %s: no CA certificates in PEM: %s",
                       s->ca_location, kb_tls_reason());
    return KBP_OK;
}

static int read_password(const char *path, struct kb_secret *password,
                         struct kbp_error *err)
{
    char text[1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len;
    int status;

    if (fd < 0)
        return kb_fail_errno(err, errno, "ssl_key_password_file %s", path);
    len = read(fd, text, sizeof text);
    status = len < 0
                 ? kb_fail_errno(err, errno, "ssl_key_password_file %s", path)
                 : KBP_OK;
    (void)close(fd);
    if (status == KBP_OK) {
        while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
            len--;
        status = kb_secret_set(password, text, (size_t)len, err);
    }
    explicit_bzero(text, sizeof text);
    return status;
}

static int give_password(char *out, int size, int writing, void *data)
{
    const struct kb_secret *password = data;

    (void)writing;
    if (!password || !password->text || password->len > (size_t)size)
        return -1;
    memcpy(out, password->text, password->len);
    return (int)password->len;
}

static int bad_key(const struct kb_tls_settings *s, const char *path,
                   bool have_password, struct kbp_error *err)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = kb_tls_reason();

    (void)s;
    if (!have_password &&
        (strstr(text, "bad password") || strstr(text, "interrupted") ||
         ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ)) {
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "ssl_key_location %s: the key is encrypted, and there "
                      "is no password",
                      path);
        kb_err_hint(err, "set ssl_key_password or ssl_key_password_file");
    } else if (have_password &&
               (strstr(text, "decrypt") || strstr(text, "cipherfinal") ||
                strstr(text, "maybe wrong password"))) {
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "ssl_key_location %s: the password of the key is wrong",
                      path);
        kb_err_hint(err, "look at ssl_key_password");
    } else {
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "ssl_key_location %s: no private key in PEM: %s", path,
                      text);
    }
    return err->status;
}

static int load_key(const struct kb_tls_settings *s, SSL_CTX *context,
                    struct kbp_error *err)
{
    const char *path =
        s->key_location ? s->key_location : s->certificate_location;
    struct kb_secret from_file = {NULL, 0};
    const struct kb_secret *password = s->key_password;
    EVP_PKEY *key = NULL;
    BIO *file = NULL;
    union {
        const struct kb_secret *given;
        void *data; /* OpenSSL's callback takes it back as it was */
    } user;
    int status = KBP_OK;

    if (s->key_password_file) {
        status = read_password(s->key_password_file, &from_file, err);
        if (status != KBP_OK)
            return status;
        password = &from_file;
    }
    user.given = password;
    file = BIO_new_file(path, "r");
    if (!file) {
        status = kb_fail_errno(err, errno ? errno : ENOENT,
                               "ssl_key_location %s", path);
        ERR_clear_error();
        goto out;
    }
    key = PEM_read_bio_PrivateKey(file, NULL, give_password, user.data);
    if (!key) {
        status = bad_key(s, path, password && password->len > 0, err);
        goto out;
    }
    if (SSL_CTX_use_PrivateKey(context, key) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        ERR_clear_error();
        status = kb_fail(err, KBP_ERR_CONFIG,
                         "the key in %s does not match the certificate in %s",
                         path, s->certificate_location);
        kb_err_hint(err, "both files must be of one pair");
    }
out:
    EVP_PKEY_free(key);
    BIO_free(file);
    kb_secret_release(&from_file);
    return status;
}

static int load_certificate(struct kb_tls *tls, SSL_CTX *context,
                            struct kbp_error *err)
{
    const struct kb_tls_settings *s = &tls->settings;

    if (!s->certificate_location && !s->key_location)
        return KBP_OK;
    if (!s->certificate_location) {
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "ssl_key_location is set without "
                      "ssl_certificate_location");
        return err->status;
    }
    if (access(s->certificate_location, R_OK) != 0)
        return kb_fail_errno(err, errno, "ssl_certificate_location %s",
                             s->certificate_location);
    if (SSL_CTX_use_certificate_chain_file(context, s->certificate_location) !=
        1)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "ssl_certificate_location %s: no certificate in PEM: "
                       "%s",
                       s->certificate_location, kb_tls_reason());
    return load_key(s, context, err);
}

static int make_context(struct kb_tls *tls, SSL_CTX **made,
                        struct kbp_error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int status;

    if (!context)
        return kb_fail(err, KBP_ERR_NOMEM, "TLS: %s", kb_tls_reason());
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 256 * 1024);
    status = load_ca(&tls->settings, context, err);
    if (status == KBP_OK)
        status = load_certificate(tls, context, err);
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
    if (!settings->verify_host)
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
                whose ? whose : tls->settings.certificate_location);
    else
        kb_warn("TLS: the certificate of %s expires in %d day%s",
                whose ? whose : tls->settings.certificate_location, days,
                days == 1 ? "" : "s");
}

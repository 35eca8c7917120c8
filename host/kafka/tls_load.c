/* SPDX-License-Identifier: Apache-2.0 */
/* tls_load.c - what TLS settings name, read into a context of OpenSSL's. */
#include "kafka/tls_load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs12err.h>

#include "base/buf.h"
#include "kafka/tls_error.h"

/* Whether reading of PEM ended where the text does, not at a damaged part. */
static bool at_end(void)
{
    unsigned long code = ERR_peek_last_error();

    return ERR_GET_LIB(code) == ERR_LIB_PEM &&
           ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* Every certificate of the text; how many there were, 0 if one is damaged. */
static int add_pem_cas(const char *text, X509_STORE *store)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *cert = NULL;
    int count = 0;

    while (bio && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (X509_STORE_add_cert(store, cert) == 1)
            count++;
        X509_free(cert);
    }
    BIO_free(bio);
    return at_end() ? count : 0;
}

static int load_ca_location(const struct kb_tls_settings *s, SSL_CTX *context,
                            struct kbp_error *err)
{
    struct stat st;
    int ok;

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

static int load_ca(const struct kb_tls_settings *s, SSL_CTX *context,
                   struct kbp_error *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);

    if (!s->ca_location && !s->ca_pem && !s->trust_anyone &&
        SSL_CTX_set_default_verify_paths(context) != 1)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "TLS: the system's CA store can't be read: %s",
                       kb_tls_reason());
    if (s->ca_location && load_ca_location(s, context, err) != KBP_OK)
        return err->status;
    if (s->ca_pem && add_pem_cas(s->ca_pem, store) == 0)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "ssl.ca.pem: no CA certificates in PEM: %s",
                       kb_tls_reason());
    ERR_clear_error(); /* the end of the text is one, to OpenSSL */
    if (!s->crl_location)
        return KBP_OK;
    if (access(s->crl_location, R_OK) != 0)
        return kb_fail_errno(err, errno, "ssl.crl.location %s",
                             s->crl_location);
    if (X509_STORE_load_file(store, s->crl_location) != 1)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "ssl.crl.location %s: no revocation list in PEM: %s",
                       s->crl_location, kb_tls_reason());
    (void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
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

static int bad_key(const char *what, bool have_password, struct kbp_error *err)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = kb_tls_reason();

    if (!have_password &&
        (strstr(text, "bad password") || strstr(text, "interrupted") ||
         ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ)) {
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "%s: the key is encrypted, and there is no password",
                      what);
        kb_err_hint(err, "set ssl_key_password or ssl_key_password_file");
    } else if (have_password &&
               (strstr(text, "decrypt") || strstr(text, "cipherfinal") ||
                strstr(text, "maybe wrong password"))) {
        (void)kb_fail(err, KBP_ERR_CONFIG,
                      "%s: the password of the key is wrong", what);
        kb_err_hint(err, "look at ssl_key_password");
    } else {
        (void)kb_fail(err, KBP_ERR_CONFIG, "%s: no private key in PEM: %s",
                      what, text);
    }
    return err->status;
}

static int use_key(const struct kb_tls_settings *s, const char *what,
                   EVP_PKEY *key, SSL_CTX *context, struct kbp_error *err)
{
    if (SSL_CTX_use_PrivateKey(context, key) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return KBP_OK;
    ERR_clear_error();
    (void)kb_fail(err, KBP_ERR_CONFIG,
                  "the key in %s does not match the certificate in %s", what,
                  kb_tls_own_name(s));
    kb_err_hint(err, "both must be of one pair");
    return err->status;
}

/* The key's text: of key_location, key_pem, or beside the certificate. */
static BIO *open_key(const struct kb_tls_settings *s, char *what, size_t size,
                     struct kbp_error *err)
{
    const char *path = s->key_location;
    const char *text = s->key_pem ? s->key_pem->text : NULL;
    BIO *bio;

    if (!path && !text) {
        path = s->certificate_location;
        text = s->certificate_pem;
    }
    if (path) {
        (void)snprintf(what, size, "ssl_key_location %s", path);
        errno = 0;
        bio = BIO_new_file(path, "r");
        if (!bio)
            (void)kb_fail_errno(err, errno ? errno : ENOENT, "%s", what);
    } else {
        (void)snprintf(what, size, "ssl.key.pem");
        bio = BIO_new_mem_buf(text, -1);
        if (!bio)
            (void)kb_fail_nomem(err, what);
    }
    ERR_clear_error();
    return bio;
}

static int load_key(const struct kb_tls_settings *s, SSL_CTX *context,
                    struct kbp_error *err)
{
    struct kb_secret from_file = {NULL, 0};
    const struct kb_secret *password = s->key_password;
    char what[PATH_MAX + 32];
    EVP_PKEY *key = NULL;
    BIO *bio = NULL;
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
    bio = open_key(s, what, sizeof what, err);
    if (!bio) {
        status = err->status;
        goto out;
    }
    key = PEM_read_bio_PrivateKey(bio, NULL, give_password, user.data);
    status = key ? use_key(s, what, key, context, err)
                 : bad_key(what, password && password->len > 0, err);
out:
    EVP_PKEY_free(key);
    BIO_free(bio);
    kb_secret_release(&from_file);
    return status;
}

/* The own certificate, and behind it those of its chain. */
static int use_pem_chain(const char *text, SSL_CTX *context)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *cert = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
    int ok = cert && SSL_CTX_use_certificate(context, cert) == 1;

    X509_free(cert);
    while (ok && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        ok = SSL_CTX_add1_chain_cert(context, cert) == 1;
        X509_free(cert);
    }
    BIO_free(bio);
    return ok && at_end();
}

static int bad_keystore(const struct kb_tls_settings *s, struct kbp_error *err)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    bool old = reason == ERR_R_UNSUPPORTED;
    bool wrong = ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_PKCS12 &&
                 reason == PKCS12_R_MAC_VERIFY_FAILURE;
    const char *text = kb_tls_reason();

    (void)kb_fail(err, KBP_ERR_CONFIG, "ssl.keystore.location %s: %s",
                  s->keystore_location,
                  wrong ? "the password of the keystore is wrong"
                  : old ? "its encryption is too old for OpenSSL 3"
                        : text);
    kb_err_hint(err, "%s",
                wrong ? "look at ssl.keystore.password"
                : old ? "write it anew: openssl pkcs12 -legacy -in OLD -nodes "
                        "-out all.pem; openssl pkcs12 -export -in all.pem "
                        "-out NEW"
                      : "a keystore is PKCS#12 here; keytool "
                        "-importkeystore -deststoretype pkcs12 makes one");
    return err->status;
}

static int use_keystore(const struct kb_tls_settings *s, PKCS12 *store,
                        SSL_CTX *context, struct kbp_error *err)
{
    const char *password =
        s->keystore_password ? s->keystore_password->text : NULL;
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    int status;
    int i;

    ERR_clear_error();
    if (PKCS12_parse(store, password, &key, &cert, &chain) != 1)
        return bad_keystore(s, err);
    if (!key || !cert || SSL_CTX_use_certificate(context, cert) != 1)
        status = kb_fail(err, KBP_ERR_CONFIG,
                         "ssl.keystore.location %s: no certificate with its "
                         "key in it",
                         s->keystore_location);
    else
        status = use_key(s, s->keystore_location, key, context, err);
    for (i = 0; status == KBP_OK && i < sk_X509_num(chain); i++)
        if (SSL_CTX_add1_chain_cert(context, sk_X509_value(chain, i)) != 1)
            status = kb_fail_nomem(err, "a chain of certificates");
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_free(cert);
    sk_X509_pop_free(chain, X509_free);
    return status;
}

static int load_keystore(const struct kb_tls_settings *s, SSL_CTX *context,
                         struct kbp_error *err)
{
    PKCS12 *store;
    BIO *file;
    int status;

    errno = 0;
    file = BIO_new_file(s->keystore_location, "r");
    if (!file) {
        ERR_clear_error();
        return kb_fail_errno(err, errno ? errno : ENOENT,
                             "ssl.keystore.location %s", s->keystore_location);
    }
    ERR_clear_error();
    store = d2i_PKCS12_bio(file, NULL);
    BIO_free(file);
    if (!store)
        return bad_keystore(s, err);
    status = use_keystore(s, store, context, err);
    PKCS12_free(store);
    return status;
}

/* Whose certificate we show has to be told once. */
static int check_sources(const struct kb_tls_settings *s, struct kbp_error *err)
{
    bool certificate = s->certificate_location || s->certificate_pem;

    if ((s->key_location || s->key_pem) && !certificate)
        return kb_fail(err, KBP_ERR_CONFIG,
                       "ssl_key_location is set without "
                       "ssl_certificate_location");
    if ((s->certificate_location && s->certificate_pem) ||
        (s->key_location && s->key_pem) ||
        (s->keystore_location && certificate))
        return kb_fail(err, KBP_ERR_CONFIG,
                       "ssl.certificate and ssl.key are set twice: as "
                       "location, as pem or in a keystore, but only one of "
                       "these");
    return KBP_OK;
}

static int load_certificate(const struct kb_tls_settings *s, SSL_CTX *context,
                            struct kbp_error *err)
{
    int status = check_sources(s, err);

    if (status != KBP_OK)
        return status;
    if (s->keystore_location)
        return load_keystore(s, context, err);
    if (!s->certificate_location && !s->certificate_pem)
        return KBP_OK;
    if (s->certificate_location && access(s->certificate_location, R_OK) != 0)
        return kb_fail_errno(err, errno, "ssl_certificate_location %s",
                             s->certificate_location);
    if ((s->certificate_location
             ? SSL_CTX_use_certificate_chain_file(context,
                                                  s->certificate_location)
             : use_pem_chain(s->certificate_pem, context)) != 1)
        return kb_fail(err, KBP_ERR_CONFIG, "%s: no certificate in PEM: %s",
                       s->certificate_location ? s->certificate_location
                                               : "ssl.certificate.pem",
                       kb_tls_reason());
    ERR_clear_error();
    return load_key(s, context, err);
}

/* The names of TLS 1.3 go to a function of their own. */
static bool is_tls13(const char *name, size_t len)
{
    return (len > 8 && memcmp(name, "TLS_AES_", 8) == 0) ||
           (len > 11 && memcmp(name, "TLS_CHACHA2", 11) == 0);
}

static int load_ciphers(const char *list, SSL_CTX *context,
                        struct kbp_error *err)
{
    struct kb_buf lists[2] = {KB_BUF_INIT, KB_BUF_INIT}; /* 1.2, 1.3 */
    const char *at = list;
    bool ok = true;
    int i;

    while (*at) {
        size_t len = strcspn(at, ":, ");
        struct kb_buf *to = &lists[is_tls13(at, len)];

        if (len > 0 && to->len > 0)
            kb_buf_add(to, ":", 1);
        kb_buf_add(to, at, len);
        at += len;
        at += strspn(at, ":, ");
    }
    for (i = 0; i < 2; i++)
        kb_buf_add(&lists[i], "", 1);
    ok = !lists[0].failed && !lists[1].failed;
    if (ok && lists[0].len > 1)
        ok = SSL_CTX_set_cipher_list(context, (char *)lists[0].data) == 1;
    else if (ok) /* what isn't named is not allowed */
        ok = SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1;
    if (ok && lists[1].len > 1)
        ok = SSL_CTX_set_ciphersuites(context, (char *)lists[1].data) == 1;
    for (i = 0; i < 2; i++)
        kb_buf_release(&lists[i]);
    if (ok)
        return KBP_OK;
    (void)kb_fail(err, KBP_ERR_CONFIG, "ssl.cipher.suites: %s: %s", list,
                  kb_tls_reason());
    kb_err_hint(err, "openssl ciphers -s lists those there are");
    return err->status;
}

static int load_policy(const struct kb_tls_settings *s, SSL_CTX *context,
                       struct kbp_error *err)
{
    if (s->cipher_suites &&
        load_ciphers(s->cipher_suites, context, err) != KBP_OK)
        return err->status;
    if (s->curves && SSL_CTX_set1_curves_list(context, s->curves) != 1)
        return kb_fail(err, KBP_ERR_CONFIG, "ssl.curves.list: %s: %s",
                       s->curves, kb_tls_reason());
    if (s->sigalgs && SSL_CTX_set1_sigalgs_list(context, s->sigalgs) != 1)
        return kb_fail(err, KBP_ERR_CONFIG, "ssl.sigalgs.list: %s: %s",
                       s->sigalgs, kb_tls_reason());
    return KBP_OK;
}

int kb_tls_load(const struct kb_tls_settings *settings, SSL_CTX *context,
                struct kbp_error *err)
{
    int status = load_policy(settings, context, err);

    SSL_CTX_set_verify(
        context, settings->trust_anyone ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
        NULL);
    if (status == KBP_OK)
        status = load_ca(settings, context, err);
    if (status == KBP_OK)
        status = load_certificate(settings, context, err);
    return status;
}

const char *kb_tls_own_name(const struct kb_tls_settings *settings)
{
    if (settings->certificate_location)
        return settings->certificate_location;
    return settings->keystore_location ? settings->keystore_location
                                       : "ssl.certificate.pem";
}

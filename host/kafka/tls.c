/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - TLS over a connected socket, by OpenSSL. */
#include "kafka/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/str.h"
#include "kafka/tls_context.h"
#include "kafka/tls_error.h"

struct tls_stream {
    struct kb_stream base;
    struct kb_stream *inner; /* whose socket is read and written by `ssl` */
    SSL *ssl;
    char *where;
    X509 *refused; /* the peer's, when it can't be verified */
};

/* What OpenSSL said, in the words of stream.h. */
static int outcome(struct tls_stream *tls, int result, struct kbp_error *err)
{
    struct kb_tls_peer peer = {tls->where, tls->where, NULL};
    int errnum = errno;
    int code = SSL_get_error(tls->ssl, result);

    switch (code) {
    case SSL_ERROR_WANT_READ:
        return KB_STREAM_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return KB_STREAM_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return KB_STREAM_END;
    default:
        break;
    }
    /* Brokers close without a goodbye; frames have lengths, so it is an end. */
    if ((code == SSL_ERROR_SYSCALL && errnum == 0) ||
        ERR_GET_REASON(ERR_peek_error()) ==
            SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return KB_STREAM_END;
    }
    return kb_fail_tls(err, tls->ssl, code, errnum, &peer);
}

static int tls_read(struct kb_stream *stream, void *buf, size_t len,
                    size_t *got, struct kbp_error *err)
{
    struct tls_stream *tls = (struct tls_stream *)stream;
    int result;

    ERR_clear_error();
    errno = 0;
    result = SSL_read_ex(tls->ssl, buf, len, got);
    return result == 1 ? KBP_OK : outcome(tls, result, err);
}

static int tls_write(struct kb_stream *stream, const struct iovec *parts,
                     int count, size_t *put, struct kbp_error *err)
{
    struct tls_stream *tls = (struct tls_stream *)stream;
    int result;

    while (count > 1 && parts->iov_len == 0) {
        parts++;
        count--;
    }
    ERR_clear_error();
    errno = 0;
    result = SSL_write_ex(tls->ssl, parts->iov_base, parts->iov_len, put);
    return result == 1 ? KBP_OK : outcome(tls, result, err);
}

static bool tls_pending(const struct kb_stream *stream)
{
    const struct tls_stream *tls = (const struct tls_stream *)stream;

    return SSL_has_pending(tls->ssl) != 0;
}

static void tls_close(struct kb_stream *stream)
{
    struct tls_stream *tls = (struct tls_stream *)stream;

    ERR_clear_error();
    if (SSL_is_init_finished(tls->ssl))
        (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
    SSL_free(tls->ssl);
    kb_stream_close(tls->inner);
    free(tls->where);
    free(tls);
}

static const struct kb_stream_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .close = tls_close,
    .pending = tls_pending,
};

/* A certificate that is refused is gone with the handshake: keep it, to say
   what it is for. */
static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_stream *tls = ssl ? SSL_get_app_data(ssl) : NULL;
    X509 *cert = X509_STORE_CTX_get0_cert(store);

    if (!ok && tls && cert && !tls->refused && X509_up_ref(cert))
        tls->refused = cert;
    return ok;
}

/* Whether the name is an address: those are in certificates differently. */
static bool is_address(const char *host)
{
    struct in6_addr any;

    return inet_pton(AF_INET, host, &any) == 1 ||
           inet_pton(AF_INET6, host, &any) == 1;
}

static int expect_host(SSL *ssl, const char *host, bool verify)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (is_address(host))
        return !verify || X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    /* The macro casts const away; with clang that is a warning. */
    if (SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)host) != 1)
        return 0;
    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return !verify || SSL_set1_host(ssl, host) == 1;
}

static int shake_hands(struct tls_stream *tls, struct kb_tls_peer *peer,
                       int64_t deadline_ms, struct kbp_error *err)
{
    for (;;) {
        int result;
        int errnum;
        int code;
        int status;

        ERR_clear_error();
        errno = 0;
        result = SSL_connect(tls->ssl);
        errnum = errno;
        if (result == 1)
            return KBP_OK;
        code = SSL_get_error(tls->ssl, result);
        if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE) {
            peer->cert = tls->refused;
            return kb_fail_tls(err, tls->ssl, code, errnum, peer);
        }
        status = kb_stream_wait(tls->inner,
                                code == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT,
                                deadline_ms, err);
        if (status == KBP_ERR_TIMEOUT) {
            (void)kb_fail(err, KBP_ERR_TIMEOUT,
                          "TLS: %s took the connection, but doesn't answer "
                          "the handshake",
                          peer->where);
            kb_err_hint(err, "is it a TLS listener? look at the port and at "
                             "security_protocol");
        }
        if (status != KBP_OK)
            return status;
    }
}

int kb_tls_connect(struct kb_tls *context, struct kb_stream **stream,
                   const char *host, const char *where, int64_t deadline_ms,
                   struct kbp_error *err)
{
    const struct kb_tls_settings *settings = kb_tls_settings_of(context);
    bool verify = settings->verify_host && !settings->trust_anyone;
    struct kb_tls_peer peer = {where, host, NULL};
    struct tls_stream *tls = calloc(1, sizeof *tls);
    SSL_CTX *ctx = NULL;
    X509 *cert;
    int status;

    if (!tls)
        return kb_fail_nomem(err, "a TLS connection");
    tls->base = (struct kb_stream){
        .ops = &tls_ops, .fd = (*stream)->fd, .stop = (*stream)->stop};
    tls->inner = *stream;
    tls->where = kb_strdup(where);
    status = kb_tls_context(context, &ctx, err);
    if (status != KBP_OK)
        goto fail;
    tls->ssl = SSL_new(ctx);
    if (!tls->where || !tls->ssl || SSL_set_fd(tls->ssl, (*stream)->fd) != 1 ||
        !expect_host(tls->ssl, host, verify)) {
        status = kb_fail(err, KBP_ERR_INTERNAL, "TLS: %s: %s", where,
                         kb_tls_reason());
        goto fail;
    }
    (void)SSL_set_app_data(tls->ssl, tls);
    if (!settings->trust_anyone)
        SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, on_verify);
    status = shake_hands(tls, &peer, deadline_ms, err);
    if (status != KBP_OK)
        goto fail;
    cert = SSL_get1_peer_certificate(tls->ssl);
    kb_tls_warn_expiry(context, cert, where);
    X509_free(cert);
    SSL_CTX_free(ctx);
    *stream = &tls->base;
    return KBP_OK;
fail:
    SSL_free(tls->ssl);
    X509_free(tls->refused);
    SSL_CTX_free(ctx);
    free(tls->where);
    free(tls);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* tls_error.c - why TLS failed, in words that say what to do. */
#include "kafka/tls_error.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/buf.h"

const char *kb_tls_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return reason ? reason : "no reason given";
}

/* What a certificate is for: "kafka-1, *.example.org, 10.0.0.7". */
static void offered_names(X509 *cert, struct kb_buf *out)
{
    GENERAL_NAMES *names =
        cert ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
    int count = names ? sk_GENERAL_NAME_num(names) : 0;
    char common[128];
    int i;

    for (i = 0; i < count && out->len < 200; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const char *between = out->len ? ", " : "";

        if (name->type == GEN_DNS) {
            kb_buf_printf(out, "%s%.*s", between,
                          ASN1_STRING_length(name->d.dNSName),
                          (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            char *text = i2s_ASN1_OCTET_STRING(NULL, name->d.iPAddress);
            const unsigned char *ip = ASN1_STRING_get0_data(name->d.iPAddress);

            if (ASN1_STRING_length(name->d.iPAddress) == 4)
                kb_buf_printf(out, "%s%u.%u.%u.%u", between, ip[0], ip[1],
                              ip[2], ip[3]);
            else
                kb_buf_printf(out, "%s%s", between, text ? text : "?");
            OPENSSL_free(text);
        }
    }
    GENERAL_NAMES_free(names);
    if (out->len == 0 && cert &&
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
                                  common, sizeof common) > 0)
        kb_buf_printf(out, "%s", common);
    if (out->len == 0)
        kb_buf_add_str(out, "no name");
    kb_buf_add(out, "", 1);
}

static int wrong_host(struct kbp_error *err, const struct kb_tls_peer *peer)
{
    struct kb_buf names = {.limit = 512};

    offered_names(peer->cert, &names);
    (void)kb_fail(err, KBP_ERR_AUTH,
                  "TLS: %s: the certificate is for another host: asked for "
                  "%s, it is for %s",
                  peer->where, peer->host,
                  names.failed ? "too many names" : (char *)names.data);
    kb_err_hint(err,
                "connect by a name in the certificate, add %s to its subject "
                "alternative names, or set "
                "ssl_endpoint_identification_algorithm: none",
                peer->host);
    kb_buf_release(&names);
    return KBP_ERR_AUTH;
}

static const char *verify_hint(long code)
{
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "renew the broker's certificate (or mend this machine's clock)";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "look at this machine's clock and the certificate's dates";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "set ssl_ca_location to the CA that signed the broker's "
               "certificate";
    default:
        return NULL;
    }
}

static const char *verify_text(long code)
{
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "it has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "it is not yet valid";
    case X509_V_ERR_CERT_REVOKED:
        return "it has been revoked";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "it is self-signed and not trusted here";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "its CA is not trusted here (self-signed certificate in the "
               "chain)";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "its CA is unknown here";
    default:
        return X509_verify_cert_error_string(code);
    }
}

static int bad_certificate(struct kbp_error *err, long code,
                           const struct kb_tls_peer *peer)
{
    const char *hint = verify_hint(code);

    ERR_clear_error();
    if (code == X509_V_ERR_HOSTNAME_MISMATCH ||
        code == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return wrong_host(err, peer);
    (void)kb_fail(err, KBP_ERR_AUTH,
                  "TLS: the certificate of %s is refused: %s", peer->where,
                  verify_text(code));
    if (hint)
        kb_err_hint(err, "%s", hint);
    return KBP_ERR_AUTH;
}

/* The peer's alerts and what OpenSSL itself found, one by one. */
static const struct {
    int reason;
    int status;
    const char *text;
    const char *hint;
} reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER, KBP_ERR_PROTOCOL,
     "what answers there doesn't speak TLS",
     "is it a PLAINTEXT or SASL_PLAINTEXT listener? look at the port and at "
     "security_protocol"},
    {SSL_R_HTTP_REQUEST, KBP_ERR_PROTOCOL, "what answers there speaks HTTP",
     "look at the port"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, KBP_ERR_PROTOCOL,
     "what answers there doesn't speak TLS", "look at the port"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, KBP_ERR_AUTH,
     "the broker wants a client certificate and got none",
     "set ssl_certificate_location and ssl_key_location"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, KBP_ERR_AUTH,
     "the broker refused the client certificate",
     "look at ssl_certificate_location, and at the broker's truststore"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, KBP_ERR_AUTH,
     "the broker says that the client certificate has expired", "renew it"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, KBP_ERR_AUTH,
     "the broker doesn't accept the client certificate",
     "its CA must be in the broker's truststore"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, KBP_ERR_AUTH,
     "the broker doesn't know the CA of the client certificate",
     "its CA must be in the broker's truststore"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, KBP_ERR_AUTH,
     "the broker broke the handshake off: no cipher in common, or it wants a "
     "client certificate",
     "set ssl_certificate_location and ssl_key_location if the listener has "
     "ssl.client.auth=required"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, KBP_ERR_PROTOCOL,
     "no TLS version in common: we speak 1.2 and 1.3",
     "enable TLSv1.2 or TLSv1.3 in the broker's ssl.enabled.protocols"},
    {SSL_R_UNSUPPORTED_PROTOCOL, KBP_ERR_PROTOCOL,
     "no TLS version in common: we speak 1.2 and 1.3",
     "enable TLSv1.2 or TLSv1.3 in the broker's ssl.enabled.protocols"},
};

static int by_reason(struct kbp_error *err, SSL *ssl,
                     const struct kb_tls_peer *peer)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    const char *text;
    size_t i;

    /* What brokers say to a certificate that isn't there at all. */
    if (reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE &&
        !SSL_get_certificate(ssl))
        reason = SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED;
    for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == reasons[i].reason) {
            ERR_clear_error();
            (void)kb_fail(err, reasons[i].status, "TLS: %s: %s", peer->where,
                          reasons[i].text);
            if (reasons[i].hint)
                kb_err_hint(err, "%s", reasons[i].hint);
            return err->status;
        }
    text = kb_tls_reason();
    return kb_fail(err, KBP_ERR_PROTOCOL, "TLS: %s: %s", peer->where, text);
}

int kb_fail_tls(struct kbp_error *err, SSL *ssl, int code, int errnum,
                const struct kb_tls_peer *peer)
{
    long verified = SSL_get_verify_result(ssl);

    if (verified != X509_V_OK && !SSL_is_init_finished(ssl) &&
        SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE)
        return bad_certificate(err, verified, peer);
    if (code == SSL_ERROR_SSL &&
        ERR_GET_REASON(ERR_peek_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return by_reason(err, ssl, peer);
    ERR_clear_error();
    if (code == SSL_ERROR_SYSCALL && errnum)
        return kb_fail_errno(err, errnum, "TLS: %s", peer->where);
    if (SSL_is_init_finished(ssl))
        return kb_fail(err, KBP_ERR_IO, "%s closed the connection",
                       peer->where);
    (void)kb_fail(err, KBP_ERR_IO,
                  "TLS: %s closed the connection during the handshake",
                  peer->where);
    kb_err_hint(err, "is it a TLS listener? some brokers close without a word "
                     "when they want a client certificate");
    return err->status;
}

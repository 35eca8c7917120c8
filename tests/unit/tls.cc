// SPDX-License-Identifier: Apache-2.0
// tls.cc - TLS settings against a server of OpenSSL's in the same process.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

extern "C" {
#include "base/clock.h"
#include "kafka/tls.h"
}

namespace
{

struct Pair {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ~Pair()
    {
        EVP_PKEY_free(key);
        X509_free(cert);
    }
    Pair() = default;
    Pair(const Pair &) = delete;
};

void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, nullptr, nullptr, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(nullptr, &ctx, nid, value);
    ASSERT_TRUE(ext);
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

std::unique_ptr<Pair> make(const char *name, int serial, Pair *issuer)
{
    auto made = std::make_unique<Pair>();
    Pair *by = issuer ? issuer : made.get();

    X509_set_version(made->cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made->cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(made->cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made->cert), 40 * 86400);
    X509_set_pubkey(made->cert, made->key);
    X509_NAME_add_entry_by_txt(
        X509_get_subject_name(made->cert), "CN", MBSTRING_ASC,
        reinterpret_cast<const unsigned char *>(name), -1, -1, 0);
    X509_set_issuer_name(made->cert, X509_get_subject_name(by->cert));
    extend(made->cert, by->cert, NID_basic_constraints,
           issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (issuer)
        extend(made->cert, by->cert, NID_subject_alt_name,
               (std::string("DNS:") + name).c_str());
    X509_sign(made->cert, by->key, EVP_sha256());
    return made;
}

std::string text_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<size_t>(len));
    BIO_free(bio);
    return text;
}

std::string pem(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    return text_of(bio);
}

std::string pem(EVP_PKEY *key, const char *password = nullptr)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(
        bio, key, password ? EVP_aes_128_cbc() : nullptr, nullptr, 0, nullptr,
        const_cast<char *>(password));
    return text_of(bio);
}

class Tls : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        signal(SIGPIPE, SIG_IGN); // as the program does
        char name[] = "/tmp/kb-tls-XXXXXX";
        ASSERT_TRUE(mkdtemp(name));
        dir = name;
        ca = make("ca", 1, nullptr);
        broker = make("localhost", 2, ca.get());
        client = make("client", 3, ca.get());
        ca_pem = pem(ca->cert);
        settings.ca_pem = ca_pem.c_str();
        settings.verify_host = true;
    }

    void TearDown() override
    {
        std::string command = "rm -rf " + dir;
        ASSERT_EQ(0, ::system(command.c_str()));
    }

    std::string file(const char *name, const std::string &text)
    {
        std::string path = dir + "/" + name;
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }

    std::string keystore(const char *name, const char *password)
    {
        std::string path = dir + "/" + name;
        FILE *out = fopen(path.c_str(), "w");
        STACK_OF(X509) *chain = sk_X509_new_null();
        sk_X509_push(chain, ca->cert);
        PKCS12 *p12 = PKCS12_create(password, "own", client->key, client->cert,
                                    chain, 0, 0, 0, 0, 0);
        i2d_PKCS12_fp(out, p12);
        fclose(out);
        PKCS12_free(p12);
        sk_X509_free(chain);
        return path;
    }

    // The server's side: what it saw of the client.
    void serve(int fd)
    {
        SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
        SSL_CTX_use_certificate(ctx, broker->cert);
        SSL_CTX_use_PrivateKey(ctx, broker->key);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca->cert);
        SSL_CTX_set_verify(ctx,
                           wants_client ? SSL_VERIFY_PEER |
                                              SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                        : SSL_VERIFY_NONE,
                           nullptr);
        SSL_CTX_set_max_proto_version(ctx, newest);
        SSL *ssl = SSL_new(ctx);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1) {
            X509 *peer = SSL_get1_peer_certificate(ssl);
            int group = static_cast<int>(SSL_get_negotiated_group(ssl));
            cipher = SSL_get_cipher_name(ssl);
            curve = OBJ_nid2sn(group);
            chain_sent = sk_X509_num(SSL_get_peer_cert_chain(ssl));
            char name[64] = "none";
            if (peer)
                X509_NAME_oneline(X509_get_subject_name(peer), name,
                                  sizeof name);
            subject = name;
            char byte = 'x';
            SSL_write(ssl, &byte, 1);
            X509_free(peer);
        }
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        close(fd);
    }

    // A handshake, and one byte of the server's: TLS 1.3 refuses that late.
    int connect()
    {
        struct kb_tls *tls = nullptr;
        int status = kb_tls_new(&settings, &tls, &err);
        if (status != KBP_OK)
            return status;
        int fds[2];
        EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
        std::thread server([this, &fds] { serve(fds[1]); });
        struct kb_stream *stream = kb_socket_stream(fds[0], nullptr);
        int64_t deadline = kb_now_ms() + 20000;
        status = kb_tls_connect(tls, &stream, host, host, deadline, &err);
        if (status == KBP_OK) {
            char byte;
            size_t got;
            status = kb_stream_read_all(stream, &byte, 1, &got, deadline, &err);
        }
        kb_stream_close(stream);
        server.join();
        kb_tls_free(tls);
        return status;
    }

    std::string dir, ca_pem, cipher, curve, subject;
    std::unique_ptr<Pair> ca, broker, client;
    struct kb_tls_settings settings = {};
    struct kbp_error err = KB_ERR_INIT;
    const char *host = "localhost";
    bool wants_client = false;
    int newest = TLS1_3_VERSION;
    int chain_sent = 0;
};

TEST_F(Tls, CaFromText)
{
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    auto other = make("other", 9, nullptr);
    std::string both = "a comment\n" + pem(other->cert) + ca_pem;
    settings.ca_pem = both.c_str();
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    std::string wrong = pem(other->cert);
    settings.ca_pem = wrong.c_str();
    EXPECT_EQ(KBP_ERR_AUTH, connect());
}

TEST_F(Tls, CaTextThatIsNone)
{
    settings.ca_pem = "not a certificate";
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    EXPECT_NE(nullptr, strstr(err.message, "ssl.ca.pem")) << err.message;
    std::string damaged = ca_pem + ca_pem.substr(0, ca_pem.size() / 2);
    settings.ca_pem = damaged.c_str();
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
}

TEST_F(Tls, CertificateAndKeyFromText)
{
    std::string cert = pem(client->cert) + ca_pem;
    std::string key = pem(client->key, "keypass");
    char password[] = "keypass";
    struct kb_secret key_pem = {&key[0], key.size()};
    struct kb_secret key_password = {password, 7};
    wants_client = true;
    EXPECT_NE(KBP_OK, connect());
    settings.certificate_pem = cert.c_str();
    settings.key_pem = &key_pem;
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    EXPECT_NE(nullptr, strstr(err.message, "no password")) << err.message;
    settings.key_password = &key_password;
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    EXPECT_EQ("/CN=client", subject);
    EXPECT_EQ(1, chain_sent) << "the chain goes with it";
    password[0] = 'K';
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    EXPECT_NE(nullptr, strstr(err.message, "is wrong")) << err.message;
}

TEST_F(Tls, KeyTextBesideTheCertificate)
{
    std::string both = pem(client->cert) + pem(client->key);
    wants_client = true;
    settings.certificate_pem = both.c_str();
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    EXPECT_EQ("/CN=client", subject);
}

TEST_F(Tls, KeyOfAnotherCertificate)
{
    std::string cert = pem(client->cert);
    std::string key = pem(broker->key);
    struct kb_secret key_pem = {&key[0], key.size()};
    settings.certificate_pem = cert.c_str();
    settings.key_pem = &key_pem;
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    EXPECT_NE(nullptr, strstr(err.message, "does not match")) << err.message;
}

TEST_F(Tls, Keystore)
{
    std::string path = keystore("client.p12", "storepass");
    char password[] = "storepass";
    struct kb_secret store_password = {password, 9};
    wants_client = true;
    settings.keystore_location = path.c_str();
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    settings.keystore_password = &store_password;
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    EXPECT_EQ("/CN=client", subject);
    EXPECT_EQ(1, chain_sent);
    password[0] = 'S';
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    EXPECT_NE(nullptr, strstr(err.message, "password of the keystore is wrong"))
        << err.message;
    EXPECT_EQ(nullptr, strstr(err.message, "torepass"));
    std::string jks = file("client.jks", "\xfe\xed\xfe\xed\0\0\0\2");
    settings.keystore_location = jks.c_str();
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    EXPECT_NE(nullptr, strstr(err.hint, "keytool")) << err.message;
    settings.keystore_location = "/nowhere/client.p12";
    EXPECT_EQ(KBP_ERR_NOT_FOUND, connect()) << err.message;
}

TEST_F(Tls, TwoSourcesOfACertificate)
{
    std::string path = keystore("client.p12", "storepass");
    std::string cert = pem(client->cert);
    settings.keystore_location = path.c_str();
    settings.certificate_pem = cert.c_str();
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    EXPECT_NE(nullptr, strstr(err.message, "set twice")) << err.message;
}

TEST_F(Tls, CipherSuitesOfBothVersions)
{
    settings.cipher_suites =
        "TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256";
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    EXPECT_EQ("TLS_CHACHA20_POLY1305_SHA256", cipher);
    newest = TLS1_2_VERSION;
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    EXPECT_EQ("ECDHE-ECDSA-AES128-GCM-SHA256", cipher);
    // of 1.3 alone: 1.2 isn't spoken then
    settings.cipher_suites = "TLS_AES_128_GCM_SHA256";
    EXPECT_NE(KBP_OK, connect());
    newest = TLS1_3_VERSION;
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    EXPECT_EQ("TLS_AES_128_GCM_SHA256", cipher);
    settings.cipher_suites = "NO-SUCH-CIPHER";
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    EXPECT_NE(nullptr, strstr(err.message, "NO-SUCH-CIPHER")) << err.message;
}

TEST_F(Tls, Curves)
{
    settings.curves = "P-384";
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    EXPECT_EQ("secp384r1", curve);
    settings.curves = "no-such-curve";
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
    EXPECT_NE(nullptr, strstr(err.message, "ssl.curves.list")) << err.message;
}

TEST_F(Tls, SignatureAlgorithms)
{
    settings.sigalgs = "ECDSA+SHA256";
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    settings.sigalgs = "RSA+SHA256"; // the server's key is another
    EXPECT_NE(KBP_OK, connect());
    settings.sigalgs = "no-such";
    EXPECT_EQ(KBP_ERR_CONFIG, connect());
}

TEST_F(Tls, VerificationOff)
{
    auto other = make("other", 9, nullptr);
    std::string wrong = pem(other->cert);
    settings.ca_pem = wrong.c_str();
    host = "elsewhere";
    EXPECT_NE(KBP_OK, connect());
    settings.trust_anyone = true;
    EXPECT_EQ(KBP_OK, connect()) << err.message;
}

TEST_F(Tls, RevokedCertificates)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(nullptr, -60);
    ASN1_TIME *next = X509_gmtime_adj(nullptr, 86400);
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert));
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, next);
    X509_CRL_sign(crl, ca->key, EVP_sha256());
    auto save = [&](const char *name) {
        BIO *bio = BIO_new(BIO_s_mem());
        PEM_write_bio_X509_CRL(bio, crl);
        return file(name, text_of(bio));
    };
    std::string none = save("none.crl");
    X509_REVOKED *revoked = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(broker->cert));
    X509_REVOKED_set_revocationDate(revoked, now);
    X509_CRL_add0_revoked(crl, revoked);
    X509_CRL_sign(crl, ca->key, EVP_sha256());
    std::string one = save("one.crl");

    settings.crl_location = none.c_str();
    EXPECT_EQ(KBP_OK, connect()) << err.message;
    settings.crl_location = one.c_str();
    EXPECT_EQ(KBP_ERR_AUTH, connect());
    EXPECT_NE(nullptr, strstr(err.message, "revoked")) << err.message;
    settings.crl_location = "/nowhere.crl";
    EXPECT_EQ(KBP_ERR_NOT_FOUND, connect()) << err.message;
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    X509_CRL_free(crl);
}

} // namespace

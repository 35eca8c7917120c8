/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sasl_gssapi.cc - GSSAPI against a KDC of MIT's, and a broker's side of ours.
 *
 * The KDC runs on a free port of 127.0.0.1, in a folder that goes at the end.
 */
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include "kdc.h"
#include "plugin_harness.h"

extern "C" {
#include "../../sasl/common/sasl_clock.h"
#include "../../sasl/gssapi/gssapi_cred.h"
#include "../../sasl/gssapi/gssapi_layer.h"
}

using kbt::Broker;
using kbt::Handshake;
using kbt::Kdc;
using kbt::Plugin;
using kbt::run;
using kbt::Sasl;

Kdc *Kdc::self = static_cast<Kdc *>(testing::AddGlobalTestEnvironment(new Kdc));

namespace
{

class SaslGssapi : public testing::Test
{
  protected:
    void SetUp() override
    {
        if (!Kdc::self->there)
            GTEST_SKIP() << "krb5kdc and its tools aren't installed";
    }
    Sasl::Settings from(const std::string &keytab)
    {
        return {{"sasl_keytab_path", Kdc::self->at(keytab)}};
    }
    /* A handshake up to the point where the broker proposes layers. */
    void until_layers(Handshake &h, Broker &broker)
    {
        std::string answer;

        ASSERT_EQ(h.start(), KBP_OK) << h.err.text();
        ASSERT_EQ(h.state, KBP_SASL_CONTINUE);
        ASSERT_TRUE(broker.accept(h.out, &answer));
        ASSERT_EQ(h.step(answer), KBP_OK) << h.err.text();
        ASSERT_EQ(h.state, KBP_SASL_CONTINUE);
        ASSERT_EQ(h.out, "");
    }
    void whole(Handshake &h, Broker &broker)
    {
        ASSERT_NO_FATAL_FAILURE(until_layers(h, broker));
        ASSERT_EQ(h.step(broker.wrap(std::string("\x07\x00\xff\xff", 4))),
                  KBP_OK)
            << h.err.text();
        ASSERT_EQ(h.state, KBP_SASL_CONTINUE);
        ASSERT_EQ(broker.unwrap(h.out), std::string("\x01\x00\x00\x00", 4));
        ASSERT_EQ(h.step(""), KBP_OK) << h.err.text();
        ASSERT_EQ(h.state, KBP_SASL_DONE);
        ASSERT_EQ(h.out, "");
    }
    Plugin plugin{"sasl_gssapi"};
};

bool has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

TEST_F(SaslGssapi, GoesThroughFromAKeytab)
{
    Sasl sasl(plugin, "GSSAPI", from("client.keytab"));
    Handshake h(sasl);
    Broker broker;

    ASSERT_NO_FATAL_FAILURE(whole(h, broker));
    EXPECT_EQ(broker.client(), "backup/client@KB.TEST");
    EXPECT_GT(h.lifetime_ms(), 60000);
    EXPECT_NE(access(Kdc::self->at("default.ccache").c_str(), F_OK), 0)
        << "it left a ccache file behind";
}

TEST_F(SaslGssapi, AsksTheKdcOnceForManyConnections)
{
    Sasl sasl(plugin, "GSSAPI", from("client.keytab"));
    int before =
        Kdc::self->count("AS_REQ") - Kdc::self->count("NEEDED_PREAUTH");
    std::vector<std::thread> threads;
    std::atomic<int> done{0};

    for (int i = 0; i < 16; i++)
        threads.emplace_back([&, i] {
            Handshake h(sasl, 0, i % 2 ? "broker.test" : "other.test");
            Broker broker;
            whole(h, broker);
            done += h.state == KBP_SASL_DONE;
        });
    for (auto &t : threads)
        t.join();
    EXPECT_EQ(done, 16);
    EXPECT_EQ(Kdc::self->count("AS_REQ") - Kdc::self->count("NEEDED_PREAUTH") -
                  before,
              1);
}

TEST_F(SaslGssapi, RenewsBeforeTheTicketEnds)
{
    Sasl sasl(plugin, "GSSAPI", from("short.keytab"));
    for (int i = 0; i < 2; i++) {
        Handshake h(sasl, i ? KBP_SASL_REAUTH : 0);
        Broker broker;

        ASSERT_NO_FATAL_FAILURE(whole(h, broker));
        /* What is left of the first ticket would be less. */
        EXPECT_GT(h.lifetime_ms(), i ? 1400 : 0);
        EXPECT_LE(h.lifetime_ms(), 4000);
        if (!i)
            usleep(2600000);
    }
}

TEST_F(SaslGssapi, ATicketOfTheUsersThatIsStaleDoesntMatter)
{
    Kdc &kdc = *Kdc::self;

    ASSERT_TRUE(kdc.admin("addprinc -randkey kafka/rotated.test"));
    ASSERT_TRUE(run("kinit -k -t " + kdc.at("client.keytab") +
                    " backup/client && kvno kafka/rotated.test@KB.TEST"));
    ASSERT_TRUE(kdc.keytab("rotated.keytab", "kafka/rotated.test"));
    {
        Sasl sasl(plugin, "GSSAPI", from("client.keytab"));
        Handshake h(sasl, 0, "rotated.test");
        Broker broker("rotated.keytab");
        whole(h, broker);
    }
    unlink(kdc.at("default.ccache").c_str());
}

TEST_F(SaslGssapi, AfterARefusalTheNextTicketIsNew)
{
    Kdc &kdc = *Kdc::self;
    std::string answer;

    ASSERT_TRUE(kdc.admin("addprinc -randkey kafka/again.test"));
    Sasl sasl(plugin, "GSSAPI", from("client.keytab"));
    {
        Handshake h(sasl, 0, "again.test");
        ASSERT_EQ(h.start(), KBP_OK) << h.err.text();
        ASSERT_TRUE(kdc.keytab("again.keytab", "kafka/again.test"));
        Broker broker("again.keytab");
        ASSERT_FALSE(broker.accept(h.out, &answer));
        EXPECT_EQ(h.explain(58, "invalid credentials"), KBP_ERR_AUTH);
        EXPECT_TRUE(has(h.err.text(), "kafka/again.test@")) << h.err.text();
        EXPECT_TRUE(has(h.err.text(), "backup/client@KB.TEST"));
        EXPECT_TRUE(has(h.err.text(), "kvno"));
    }
    Handshake h(sasl, 0, "again.test");
    Broker broker("again.keytab");
    whole(h, broker);
}

TEST_F(SaslGssapi, TakesTheTicketsOfKinit)
{
    Kdc &kdc = *Kdc::self;
    std::string ccache = "FILE:" + kdc.at("user.ccache");

    ASSERT_TRUE(run("kinit -c " + ccache + " -k -t " + kdc.at("client.keytab") +
                    " backup/client"));
    Sasl sasl(plugin, "GSSAPI", {{"sasl_kerberos_ccache", ccache}});
    Handshake h(sasl);
    Broker broker;
    ASSERT_NO_FATAL_FAILURE(whole(h, broker));
    EXPECT_EQ(broker.client(), "backup/client@KB.TEST");
    Handshake refused(sasl);
    ASSERT_EQ(refused.start(), KBP_OK);
    (void)refused.explain(58, "no");
    EXPECT_TRUE(has(refused.err.text(), "principal backup/client@KB.TEST"));
}

TEST_F(SaslGssapi, WithoutTicketsSaysKinit)
{
    Sasl sasl(plugin, "GSSAPI", {});
    Handshake h(sasl);

    EXPECT_EQ(h.start(), KBP_ERR_CONFIG) << h.err.text();
    EXPECT_TRUE(has(h.err.text(), "kinit")) << h.err.text();
    EXPECT_TRUE(has(h.err.text(), "default.ccache")) << h.err.text();
}

TEST_F(SaslGssapi, AnUnknownServiceIsNamedWithItsRemedy)
{
    Sasl sasl(plugin, "GSSAPI", from("client.keytab"));
    Handshake h(sasl, 0, "unknown.test");

    EXPECT_EQ(h.start(), KBP_ERR_AUTH);
    for (const char *part :
         {"kafka/unknown.test@KB.TEST", "backup/client@KB.TEST",
          "client.keytab", "krb5.conf", "not found in Kerberos database",
          "kvno", "rdns"})
        EXPECT_TRUE(has(h.err.text(), part)) << part << ": " << h.err.text();
}

TEST_F(SaslGssapi, AWrongServiceNameIsNamed)
{
    Sasl::Settings s = from("client.keytab");
    s["sasl_kerberos_service_name"] = "kaffka";
    Sasl sasl(plugin, "GSSAPI", s);
    Handshake h(sasl);

    EXPECT_EQ(h.start(), KBP_ERR_AUTH);
    EXPECT_TRUE(has(h.err.text(), "kaffka/broker.test")) << h.err.text();
    s["sasl_kerberos_service_name"] = "kafka/broker.test";
    EXPECT_EQ(Sasl::refused(plugin, "GSSAPI", s).status, KBP_ERR_CONFIG);
}

TEST_F(SaslGssapi, AChangedKeyOfTheClientIsNamed)
{
    Kdc &kdc = *Kdc::self;

    ASSERT_TRUE(kdc.admin("addprinc -randkey +requires_preauth old/client"));
    ASSERT_TRUE(kdc.keytab("old.keytab", "old/client"));
    ASSERT_TRUE(kdc.admin("cpw -randkey old/client"));
    Sasl sasl(plugin, "GSSAPI", from("old.keytab"));
    Handshake h(sasl);

    EXPECT_EQ(h.start(), KBP_ERR_AUTH) << h.err.text();
    EXPECT_TRUE(has(h.err.text(), "old.keytab")) << h.err.text();
    EXPECT_TRUE(has(h.err.text(), "KVNO")) << h.err.text();
}

TEST_F(SaslGssapi, APrincipalThatIsGoneIsNamed)
{
    Kdc &kdc = *Kdc::self;

    ASSERT_TRUE(kdc.admin("addprinc -randkey gone/client"));
    ASSERT_TRUE(kdc.keytab("gone.keytab", "gone/client"));
    ASSERT_TRUE(kdc.admin("delprinc -force gone/client"));
    Sasl sasl(plugin, "GSSAPI", from("gone.keytab"));
    Handshake h(sasl);

    EXPECT_EQ(h.start(), KBP_ERR_AUTH) << h.err.text();
    EXPECT_TRUE(has(h.err.text(), "doesn't know gone/client@KB.TEST"))
        << h.err.text();
}

TEST_F(SaslGssapi, KeytabsThatCantWorkAreRefusedAtTheStart)
{
    Kdc &kdc = *Kdc::self;
    kbt::TempDir dir;
    kbt::Error err;

    err = Sasl::refused(plugin, "GSSAPI", from("none.keytab"));
    EXPECT_EQ(err.status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(err.text(), "none.keytab")) << err.text();
    err = Sasl::refused(plugin, "GSSAPI",
                        {{"sasl_keytab_path", dir.file("x", "BQIAAAB=")}});
    EXPECT_EQ(err.status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(err.text(), "no keytab")) << err.text();
    err = Sasl::refused(
        plugin, "GSSAPI",
        {{"sasl_keytab_path", dir.file("y", std::string("\x05\x02", 2))}});
    EXPECT_EQ(err.status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(err.text(), "has no keys")) << err.text();
    err = Sasl::refused(plugin, "GSSAPI",
                        {{"sasl_keytab_path", kdc.at("client.keytab")},
                         {"sasl_kerberos_principal", "other/client"}});
    EXPECT_EQ(err.status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(err.text(), "it has keys for backup/client@KB.TEST"))
        << err.text();
    err = Sasl::refused(plugin, "GSSAPI",
                        {{"sasl_keytab_path", kdc.at("client.keytab")},
                         {"sasl_krb5_config_path", "/etc/other/krb5.conf"}});
    EXPECT_EQ(err.status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(err.text(), "KRB5_CONFIG=/etc/other/krb5.conf"))
        << err.text();
}

TEST_F(SaslGssapi, TakesTheKrb5ConfOfTheEnvironmentWhenItIsThatOfTheOption)
{
    Sasl::Settings s = from("client.keytab");
    s["sasl_krb5_config_path"] = Kdc::self->at("krb5.conf");
    s["sasl_kerberos_principal"] = "backup/client";
    Sasl sasl(plugin, "GSSAPI", s);
    Handshake h(sasl);
    Broker broker;

    whole(h, broker);
    EXPECT_STREQ(plugin.sasl("GSSAPI")->options.items[3].export_env,
                 "KRB5_CONFIG");
}

TEST_F(SaslGssapi, AKdcThatIsDownIsUnavailableAndTriedAgain)
{
    Sasl sasl(plugin, "GSSAPI", from("client.keytab"));

    Kdc::self->stop();
    {
        Handshake h(sasl);
        EXPECT_EQ(h.start(), KBP_ERR_UNAVAILABLE) << h.err.text();
        EXPECT_TRUE(has(h.err.text(), "no KDC answers")) << h.err.text();
        EXPECT_TRUE(has(h.err.text(), "kafka@broker.test")) << h.err.text();
        EXPECT_TRUE(has(h.err.text(), "krb5.conf")) << h.err.text();
    }
    Kdc::self->start();
    Handshake h(sasl);
    Broker broker;
    whole(h, broker);
}

/* The part by itself, as else half of a ticket's life had to go by. */
class GssSource : public SaslGssapi
{
  protected:
    void SetUp() override
    {
        SaslGssapi::SetUp();
        if (IsSkipped())
            return;
        kbt::Config config(plugin.sasl("GSSAPI")->options,
                           from("client.keytab"));
        ASSERT_EQ(kb_gss_source_open(&source, "kafka", &config, &err), KBP_OK)
            << err.text();
        opened = true;
    }
    void TearDown() override
    {
        if (opened)
            kb_gss_source_close(&source);
    }
    struct kb_gss_cred *take()
    {
        struct kb_gss_cred *cred = nullptr;

        err = kbt::Error();
        if (kb_gss_take(&source, &host, "kafka@broker.test", &cred, &err) ==
            KBP_OK)
            kb_gss_give_back(&source, cred);
        return cred;
    }
    /* Whether a broker takes what comes of them. */
    bool works(struct kb_gss_cred *cred)
    {
        gss_buffer_desc text = {17, const_cast<char *>("kafka@broker.test")};
        gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
        gss_ctx_id_t context = GSS_C_NO_CONTEXT;
        gss_name_t target = GSS_C_NO_NAME;
        OM_uint32 minor, ignored, major;
        Broker broker;

        (void)gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE,
                              &target);
        major = gss_init_sec_context(&minor, cred->id, &context, target,
                                     const_cast<gss_OID>(gss_mech_krb5),
                                     GSS_C_MUTUAL_FLAG, 0,
                                     GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER,
                                     nullptr, &out, nullptr, nullptr);
        std::string token(static_cast<char *>(out.value), out.length), answer;
        (void)gss_release_buffer(&ignored, &out);
        (void)gss_release_name(&ignored, &target);
        (void)gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
        return !GSS_ERROR(major) && broker.accept(token, &answer);
    }
    /* How many warnings there were. */
    size_t warnings()
    {
        std::string all = host.logged(), what = "1 the Kerberos ticket can't";
        size_t n = 0;

        for (size_t at = 0; (at = all.find(what, at)) != std::string::npos;
             at++)
            n++;
        return n;
    }

    struct kb_gss_source source = {};
    bool opened = false;
    kbt::Host host;
    kbt::Error err;
};

TEST_F(GssSource, TheOldTicketIsUsedUpWhileTheKdcIsDown)
{
    struct kb_gss_cred *old = take();

    ASSERT_TRUE(old) << err.text();
    EXPECT_TRUE(works(old));
    Kdc::self->stop();
    old->renew_ms = 0;
    EXPECT_EQ(take(), old) << err.text();
    EXPECT_TRUE(works(old));
    EXPECT_EQ(warnings(), 1u) << host.logged();
    /* A while passes before the KDC is asked again. */
    EXPECT_GT(source.pause_end_ms, kb_mono_ms() + 5000);
    EXPECT_LE(source.pause_end_ms, kb_mono_ms() + 30000);
    EXPECT_EQ(take(), old);
    source.pause_end_ms = 0;
    EXPECT_EQ(take(), old);
    EXPECT_EQ(warnings(), 1u) << host.logged();
    /* What is about to end is not used. */
    source.pause_end_ms = 0;
    old->end_ms = kb_mono_ms() + 25000;
    EXPECT_FALSE(take());
    EXPECT_EQ(err.status, KBP_ERR_UNAVAILABLE) << err.text();
    Kdc::self->start();
    EXPECT_TRUE(take()) << err.text();
    EXPECT_EQ(source.pause_end_ms, 0);
    EXPECT_GT(source.now->renew_ms, kb_mono_ms());
}

TEST_F(GssSource, WhoComesWhileAnotherAsksTheKdcUsesTheOldTicket)
{
    struct kb_gss_cred *old = take();

    ASSERT_TRUE(old) << err.text();
    old->renew_ms = 0;
    source.pause_end_ms = INT64_MAX; /* as one within the gate has set it */
    ASSERT_EQ(kb_gate_enter(&source.gate, &host, &err), KBP_OK);
    host.deadline_ms(2000);
    EXPECT_EQ(take(), old) << err.text();
    kb_gate_leave(&source.gate, KBP_OK, &err);
}

TEST_F(SaslGssapi, ManyRefusalsOfTheSameTicketAreOneReasonToAskAgain)
{
    Sasl sasl(plugin, "GSSAPI", from("client.keytab"));
    auto asked = [] {
        return Kdc::self->count("AS_REQ") - Kdc::self->count("NEEDED_PREAUTH");
    };
    int before = asked();
    std::vector<std::unique_ptr<Handshake>> all;

    for (int i = 0; i < 8; i++) {
        all.push_back(std::make_unique<Handshake>(sasl));
        ASSERT_EQ(all[i]->start(), KBP_OK) << all[i]->err.text();
    }
    EXPECT_EQ(asked() - before, 1);
    for (auto &h : all) {
        EXPECT_EQ(h->explain(58, "no"), KBP_ERR_AUTH);
        Handshake next(sasl);
        EXPECT_EQ(next.start(), KBP_OK) << next.err.text();
    }
    EXPECT_EQ(asked() - before, 2);
}

TEST_F(SaslGssapi, ErrorsAtTheStartNameAllThatMatters)
{
    Kdc &kdc = *Kdc::self;
    kbt::TempDir dir;
    uid_t me = geteuid();
    auto says = [&](const std::string &keytab) {
        kbt::Error err =
            Sasl::refused(plugin, "GSSAPI",
                          {{"sasl_keytab_path", keytab},
                           {"sasl_kerberos_principal", "other/client"}});
        EXPECT_EQ(err.status, KBP_ERR_CONFIG);
        for (const std::string &part :
             {std::string("kafka/<broker>"), std::string("other/client"),
              keytab, kdc.at("krb5.conf")})
            EXPECT_TRUE(has(err.message, part)) << part << ": " << err.text();
        EXPECT_NE(err.hint[0], '\0') << err.text();
        return err.text();
    };
    std::string secret = dir.file("secret.keytab", "");

    says(dir.path + "/none.keytab");
    says(dir.file("empty.keytab", ""));
    says(dir.file("no-keys.keytab", std::string("\x05\x02", 2)));
    says(dir.file("base64.keytab", "BQIAAAB="));
    says(kdc.at("client.keytab"));
    ASSERT_EQ(chmod(secret.c_str(), 0), 0);
    ASSERT_EQ(chmod(dir.path.c_str(), 0755), 0);
    ASSERT_EQ(chmod(kdc.dir.path.c_str(), 0755), 0);
    if (me == 0) {
        ASSERT_EQ(seteuid(65534), 0);
    }
    /* A folder above may keep the other user from krb5.conf, too. */
    int fd = open(kdc.at("krb5.conf").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        EXPECT_TRUE(has(says(secret), "Permission denied"));
        EXPECT_TRUE(has(says(secret), "chmod"));
    }
    if (me == 0) {
        ASSERT_EQ(seteuid(me), 0);
    }
    ASSERT_EQ(chmod(kdc.dir.path.c_str(), 0700), 0);
}

TEST_F(SaslGssapi, ABrokerThatLiesIsFoundOut)
{
    Sasl sasl(plugin, "GSSAPI", from("client.keytab"));
    std::string token;

    for (const std::string &lie :
         {std::string(), std::string("garbage"), std::string(1000, '\x60')}) {
        Handshake h(sasl);
        ASSERT_EQ(h.start(), KBP_OK);
        token = h.out;
        EXPECT_NE(h.step(lie), KBP_OK);
        EXPECT_EQ(h.state, 0);
    }
    Handshake echo(sasl);
    ASSERT_EQ(echo.start(), KBP_OK);
    EXPECT_NE(echo.step(echo.out), KBP_OK);
    for (const std::string &lie :
         {std::string(), std::string("\x01\x00\x00\x00", 4),
          std::string(300, 'x')}) {
        Handshake h(sasl);
        Broker broker;
        ASSERT_NO_FATAL_FAILURE(until_layers(h, broker));
        EXPECT_NE(h.step(lie), KBP_OK);
        EXPECT_EQ(h.state, 0);
    }
    Handshake h(sasl);
    Broker broker;
    ASSERT_NO_FATAL_FAILURE(until_layers(h, broker));
    ASSERT_EQ(h.step(broker.wrap(std::string("\x01\x00\x00\x00", 4))), KBP_OK);
    EXPECT_EQ(h.step("more"), KBP_ERR_PROTOCOL);
}

TEST_F(SaslGssapi, ALayerThatKafkaDoesntHaveIsRefused)
{
    Sasl sasl(plugin, "GSSAPI", from("client.keytab"));
    Handshake h(sasl);
    Broker broker;

    ASSERT_NO_FATAL_FAILURE(until_layers(h, broker));
    EXPECT_EQ(h.step(broker.wrap(std::string("\x06\x00\xff\xff", 4))),
              KBP_ERR_PROTOCOL);
    EXPECT_TRUE(has(h.err.text(), "SASL_SSL")) << h.err.text();
}

TEST(GssapiLayer, TakesFourBytesWithNoneAmongThem)
{
    kbt::Error err;

    EXPECT_EQ(kb_gssapi_layer_check("\x01\x00\x00\x00", 4, &err), KBP_OK);
    EXPECT_EQ(kb_gssapi_layer_check("\x07\xff\xff\xff", 4, &err), KBP_OK);
    EXPECT_EQ(kb_gssapi_layer_check("\x06\xff\xff\xff", 4, &err),
              KBP_ERR_PROTOCOL);
    EXPECT_EQ(kb_gssapi_layer_check("\x01\x00\x00", 3, &err), KBP_ERR_PROTOCOL);
    EXPECT_EQ(kb_gssapi_layer_check("\x01\x00\x00\x00\x00", 5, &err),
              KBP_ERR_PROTOCOL);
    EXPECT_EQ(kb_gssapi_layer_check("", 0, &err), KBP_ERR_PROTOCOL);
}

} // namespace

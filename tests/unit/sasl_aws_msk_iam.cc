/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sasl_aws_msk_iam.cc - the chain of credentials, and handshakes.
 *
 * STS, a container's endpoint and IMDSv2 are stand-ins on 127.0.0.1.
 */
#include <gtest/gtest.h>

#include <memory>

#include <sys/stat.h>

#include "plugin_harness.h"
#include "tiny_http.h"

extern "C" {
#include "../../sasl/common/sasl_base64.h"
}

using kbt::Handshake;
using kbt::Http;
using kbt::Plugin;
using kbt::Sasl;

namespace
{

bool has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

const char vector_host[] = "b-1.test.abc123.c2.kafka.us-east-1.amazonaws.com";

std::string bearer_url(const std::string &token)
{
    std::string raw(token.size(), '\0');
    ssize_t n = kb_base64_decode(&raw[0], raw.size(), KB_BASE64_URL,
                                 token.data(), token.size());
    raw.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return raw;
}

/* ---- the chain ----------------------------------------------------------- */

std::string in_an_hour(long seconds = 3600)
{
    time_t t = time(nullptr) + seconds;
    struct tm tm;
    char text[32];

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return text;
}

std::string keys_json(const std::string &key, long life = 3600)
{
    return R"({"Code":"Success","Version":1,"AccessKeyId":")" + key +
           R"(","SecretAccessKey":"secret","Token":"token","Expiration":")" +
           in_an_hour(life) + "\"}";
}

std::string keys_xml(const std::string &key)
{
    return "<R><Credentials><AccessKeyId>" + key +
           "</AccessKeyId><SecretAccessKey>s&amp;s</SecretAccessKey>"
           "<SessionToken>tok</SessionToken><Expiration>" +
           in_an_hour() + "</Expiration></Credentials></R>";
}

class AwsChain : public testing::Test
{
  protected:
    AwsChain() : server([this](const Http::Request &r) { return answer(r); })
    {
    }
    void SetUp() override
    {
        for (char **e = environ; *e; e++)
            if (!strncmp(*e, "AWS_", 4)) {
                std::string name(*e, strchr(*e, '='));
                unsetenv(name.c_str());
                e = environ - 1;
            }
        setenv("HOME", dir.path.c_str(), 1);
        setenv("AWS_ENDPOINT_URL_STS", server.url("").c_str(), 1);
        setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url("").c_str(), 1);
        setenv("AWS_REGION", "eu-west-1", 1);
    }
    /* STS, a container's endpoint and IMDSv2, by path. */
    Http::Answer answer(const Http::Request &r)
    {
        Http::Answer a;

        if (r.path == "/" && has(r.body, "Action=AssumeRoleWithWebIdentity"))
            a = {sts_status, sts_body.empty() ? keys_xml("WEB") : sts_body, "",
                 0, false};
        else if (r.path == "/" && has(r.body, "Action=AssumeRole&"))
            a = {sts_status, sts_body.empty() ? keys_xml("ROLE") : sts_body, "",
                 0, false};
        else if (r.path == "/container")
            a = {container_status, keys_json("CONTAINER", life), "", 0, false};
        else if (r.path == "/latest/api/token" && r.method == "PUT" &&
                 r.headers.count("x-aws-ec2-metadata-token-ttl-seconds"))
            a = {imds_status, "imds-token", "", 0, false};
        else if (r.headers.count("x-aws-ec2-metadata-token") &&
                 r.path == "/latest/meta-data/iam/security-credentials/")
            a = {role_status, "my-role\n", "", 0, false};
        else if (r.headers.count("x-aws-ec2-metadata-token") &&
                 r.path == "/latest/meta-data/iam/security-credentials/my-role")
            a = {200, keys_json("IMDS", life), "", 0, false};
        else
            a = {404, "", "", 0, false};
        return a;
    }
    void web_identity()
    {
        setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/irsa", 1);
        setenv("AWS_WEB_IDENTITY_TOKEN_FILE",
               dir.file("token", "the.web.token\n").c_str(), 1);
    }
    void container()
    {
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI",
               server.url("/container").c_str(), 1);
    }
    void files(const std::string &config, const std::string &credentials = "")
    {
        setenv("AWS_CONFIG_FILE", dir.file("config", config).c_str(), 1);
        setenv("AWS_SHARED_CREDENTIALS_FILE",
               dir.file("credentials", credentials).c_str(), 1);
    }
    /* The access key that a handshake is signed with, or the error. */
    std::string key(Sasl &sasl, int32_t *status = nullptr)
    {
        Handshake h(sasl, KBP_SASL_TLS, vector_host);
        int32_t s = h.start();

        if (status)
            *status = s;
        if (s != KBP_OK)
            return h.err.text();
        std::string name = "\"x-amz-credential\":\"";
        size_t at = h.out.find(name) + name.size();
        return h.out.substr(at, h.out.find('/', at) - at);
    }
    std::string key(const Sasl::Settings &s = {}, int32_t *status = nullptr)
    {
        Sasl sasl(plugin, "AWS_MSK_IAM", s);
        return key(sasl, status);
    }
    size_t asked(const std::string &path)
    {
        size_t n = 0;
        for (auto &r : server.requests())
            n += r.path.rfind(path, 0) == 0;
        return n;
    }

    Plugin plugin{"sasl_aws_msk_iam"};
    kbt::TempDir dir;
    long life = 3600;
    int sts_status = 200, container_status = 200, imds_status = 200,
        role_status = 200;
    std::string sts_body;
    Http server;
};

TEST_F(AwsChain, TheFirstThatIsConfiguredIsUsed)
{
    files(
        "[profile named]\naws_access_key_id = NAMED\n"
        "aws_secret_access_key = s\n[default]\nregion = eu-west-1\n",
        "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = s\n");
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    setenv("AWS_PROFILE", "named", 1);
    web_identity();
    container();
    EXPECT_EQ(key({{"sasl_aws_access_key_id", "SET"},
                   {"sasl_aws_secret_access_key", "s"}}),
              "SET");
    EXPECT_EQ(key({{"sasl_aws_profile", "default"}}), "DEFAULT");
    EXPECT_EQ(key(), "ENV");
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    EXPECT_EQ(key(), "NAMED");
    unsetenv("AWS_PROFILE");
    EXPECT_EQ(key(), "DEFAULT");
    EXPECT_EQ(server.requests().size(), 0u);
    /* A default profile that only names a region is no source. */
    files("[default]\nregion = eu-west-1\n");
    EXPECT_EQ(key(), "WEB");
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    EXPECT_EQ(asked("/container"), 0u);
    EXPECT_EQ(key(), "CONTAINER");
    unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    EXPECT_EQ(asked("/latest"), 0u);
    EXPECT_EQ(key(), "IMDS");
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    int32_t status;
    EXPECT_TRUE(has(key({}, &status), "there are no AWS credentials"));
    EXPECT_EQ(status, KBP_ERR_CONFIG);
    setenv("AWS_EC2_METADATA_DISABLED", "TRUE", 1);
    EXPECT_TRUE(has(key({}, &status), "there are no AWS credentials"));
}

TEST_F(AwsChain, NeverFallsThroughASourceThatFails)
{
    int32_t status;
    std::string says;

    container(); /* works, and must not be asked */
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    says = key({}, &status);
    EXPECT_EQ(status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(says, "AWS_SECRET_ACCESS_KEY is not")) << says;
    unsetenv("AWS_ACCESS_KEY_ID");

    setenv("AWS_PROFILE", "nobody", 1);
    says = key({}, &status);
    EXPECT_EQ(status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(says, "AWS profile nobody: neither")) << says;
    unsetenv("AWS_PROFILE");

    for (const char *broken :
         {"aws_access_key_id = A", "role_arn = arn:x",
          "credential_process = exit 1", "credential_process = echo '{}'",
          "sso_session = x", "role_arn = arn:x\nsource_profile = none",
          "role_arn = arn:x\ncredential_source = Moon",
          "role_arn = arn:x\nsource_profile = default",
          "role_arn = arn:x\nsource_profile = default\nmfa_serial = m",
          /* What is half there is configured, too. */
          "aws_secret_access_key = s", "aws_session_token = t",
          "aws_access_key_id =",
          "aws_access_key_id =\naws_secret_access_key = s",
          "web_identity_token_file = /x", "source_profile = default",
          "role_arn =", "credential_process =",
          "role_arn =\naws_access_key_id = A\naws_secret_access_key = s"}) {
        files(std::string("[default]\n") + broken + "\n");
        says = key({}, &status);
        EXPECT_LT(status, 0) << broken;
        EXPECT_TRUE(has(says, "AWS profile default")) << broken << says;
    }
    files("");
    web_identity();
    sts_status = 403;
    sts_body = "<E><Code>AccessDenied</Code><Message>Not authorized to perform "
               "sts:AssumeRoleWithWebIdentity</Message></E>";
    says = key({}, &status);
    EXPECT_EQ(status, KBP_ERR_AUTH);
    EXPECT_TRUE(has(says, "web identity of arn:aws:iam::1:role/irsa")) << says;
    EXPECT_TRUE(has(says, "AccessDenied: Not authorized")) << says;
    EXPECT_TRUE(has(says, "trust policy")) << says;
    unsetenv("AWS_ROLE_ARN");
    EXPECT_TRUE(has(key({}, &status), "AWS_ROLE_ARN"));
    EXPECT_EQ(status, KBP_ERR_CONFIG);
    EXPECT_EQ(asked("/container"), 0u);

    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    container_status = 500;
    says = key({}, &status);
    EXPECT_EQ(status, KBP_ERR_UNAVAILABLE);
    EXPECT_TRUE(has(says, "container")) << says;
    EXPECT_EQ(asked("/container"), 1u);
    EXPECT_EQ(asked("/latest"), 0u);
}

TEST_F(AwsChain, AFileThatAVariableNamesHasToBeThere)
{
    int32_t status;
    std::string says;

    container(); /* works, and must not be asked */
    for (const char *variable :
         {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}) {
        setenv(variable, (dir.path + "/none").c_str(), 1);
        says = key({}, &status);
        EXPECT_EQ(status, KBP_ERR_CONFIG) << says;
        EXPECT_TRUE(has(says, std::string(variable) + " " + dir.path +
                                  "/none does not exist"))
            << says;
        unsetenv(variable);
    }
    EXPECT_EQ(asked("/container"), 0u);
}

/* As with AWS's tools: a service that runs as another user has none. */
TEST_F(AwsChain, FilesAtTheDefaultPlaceThatMayNotBeReadDontCount)
{
    uid_t me = geteuid();
    int32_t status;
    std::string says;

    container();
    ASSERT_EQ(chmod(dir.path.c_str(), 0), 0);
    if (me == 0) {
        ASSERT_EQ(seteuid(65534), 0);
    }
    {
        Sasl sasl(plugin, "AWS_MSK_IAM", {});
        Handshake h(sasl, KBP_SASL_TLS, vector_host);
        EXPECT_EQ(h.start(), KBP_OK) << h.err.text();
        EXPECT_TRUE(has(h.host.logged(), "3 it is left out: the AWS config " +
                                             dir.path + "/.aws/config can't"))
            << h.host.logged();
    }
    /* Unless they are what the user means. */
    says = key({{"sasl_aws_profile", "p"}}, &status);
    EXPECT_EQ(status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(says, "/.aws/config can't be read")) << says;
    setenv("AWS_CONFIG_FILE", (dir.path + "/.aws/config").c_str(), 1);
    says = key({}, &status);
    EXPECT_EQ(status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(says, "AWS_CONFIG_FILE")) << says;
    if (me == 0) {
        ASSERT_EQ(seteuid(me), 0);
    }
    ASSERT_EQ(chmod(dir.path.c_str(), 0700), 0);
}

TEST_F(AwsChain, WebIdentitySendsTheTokenOfTheFile)
{
    web_identity();
    EXPECT_EQ(key(), "WEB");
    auto r = server.requests();
    ASSERT_EQ(r.size(), 1u);
    EXPECT_EQ(r[0].method, "POST");
    EXPECT_EQ(r[0].body,
              "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="
              "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Firsa&RoleSessionName="
              "kafka-backup&WebIdentityToken=the.web.token");
    EXPECT_EQ(r[0].headers.count("authorization"), 0u);
    sts_status = 400;
    sts_body = "<E><Code>ExpiredTokenException</Code></E>";
    int32_t status;
    key({}, &status);
    EXPECT_EQ(status, KBP_ERR_EXPIRED);
}

TEST_F(AwsChain, AContainersTokenIsReadAndKeptFromStrangers)
{
    int32_t status;
    std::string says;

    container();
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "from the environment", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
           dir.file("pod", "pod-token\n").c_str(), 1);
    EXPECT_EQ(key(), "CONTAINER");
    EXPECT_EQ(server.requests()[0].headers["authorization"], "pod-token");
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    EXPECT_EQ(key(), "CONTAINER");
    EXPECT_EQ(server.requests()[1].headers["authorization"],
              "from the environment");
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nX: y", 1);
    EXPECT_TRUE(has(key(), "line break"));
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    for (const char *url :
         {"http://example.com/x", "http://127.example.com/x",
          "http://169.254.170.2@example.com/x", "ftp://127.0.0.1/x",
          "http://169.254.170.2.example.com/x", "http://localhost.evil/x"}) {
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
        says = key({}, &status);
        EXPECT_EQ(status, KBP_ERR_CONFIG) << url;
        EXPECT_TRUE(has(says, "neither https")) << says;
    }
}

TEST_F(AwsChain, ImdsSaysWhatIsMissing)
{
    int32_t status;
    std::string says;

    role_status = 404;
    says = key({}, &status);
    EXPECT_EQ(status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(says, "no role attached")) << says;
    imds_status = 403;
    says = key({}, &status);
    EXPECT_EQ(status, KBP_ERR_AUTH);
    EXPECT_TRUE(has(says, "HTTP 403")) << says;
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
    says = key({}, &status);
    EXPECT_EQ(status, KBP_ERR_CONFIG);
    EXPECT_TRUE(has(says, "no AWS credentials are configured")) << says;
}

/* Once they were there, it is a passing fault: the host tries again. */
TEST_F(AwsChain, ImdsThatFallsSilentIsTriedAgain)
{
    auto imds = std::make_unique<Http>(
        [this](const Http::Request &r) { return answer(r); });
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds->url("").c_str(), 1);
    Sasl sasl(plugin, "AWS_MSK_IAM", {});
    {
        Handshake h(sasl, KBP_SASL_TLS, vector_host);
        ASSERT_EQ(h.start(), KBP_OK) << h.err.text();
        (void)h.explain(58, "no");
    }
    imds.reset();
    int32_t status;
    std::string says = key(sasl, &status);
    EXPECT_EQ(status, KBP_ERR_IO) << says;
    EXPECT_TRUE(has(says, "instance metadata: ")) << says;
    EXPECT_FALSE(has(says, "no AWS credentials are configured")) << says;
}

TEST_F(AwsChain, ProfilesLeadToOtherSources)
{
    files("[profile a]\nrole_arn = arn:a\nsource_profile = b\n"
          "external_id = ext\nrole_session_name = me\nregion = eu-north-1\n"
          "[profile b]\naws_access_key_id = B\naws_secret_access_key = s\n"
          "[profile no-region]\nrole_arn = arn:n\nsource_profile = b\n"
          "[profile self]\nrole_arn = arn:s\nsource_profile = self\n"
          "aws_access_key_id = SELF\naws_secret_access_key = s\n"
          "[profile ecs]\nrole_arn = arn:c\ncredential_source = EcsContainer\n"
          "[profile ec2]\nrole_arn = arn:c\n"
          "credential_source = Ec2InstanceMetadata\n"
          "[profile web]\nrole_arn = arn:w\nweb_identity_token_file = " +
          dir.file("t", "tok.en") +
          "\n[profile process]\ncredential_process = cat " +
          dir.file("p", keys_json("PROCESS")) + "\n");
    container();
    EXPECT_EQ(key({{"sasl_aws_profile", "a"}}), "ROLE");
    auto r = server.requests();
    ASSERT_EQ(r.size(), 1u);
    EXPECT_EQ(r[0].body, "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aa&"
                         "RoleSessionName=me&ExternalId=ext");
    EXPECT_TRUE(
        has(r[0].headers["authorization"], "AWS4-HMAC-SHA256 Credential=B/"))
        << r[0].headers["authorization"];
    EXPECT_TRUE(has(r[0].headers["authorization"],
                    "/eu-north-1/sts/aws4_request, SignedHeaders=content-type;"
                    "host;x-amz-date, Signature="));
    EXPECT_EQ(key({{"sasl_aws_profile", "self"}}), "ROLE");
    EXPECT_TRUE(
        has(server.requests()[1].headers["authorization"], "Credential=SELF/"));
    EXPECT_EQ(key({{"sasl_aws_profile", "no-region"}}), "ROLE");
    EXPECT_TRUE(has(server.requests()[2].headers["authorization"],
                    "/eu-west-1/sts/aws4_request"))
        << server.requests()[2].headers["authorization"];
    EXPECT_EQ(key({{"sasl_aws_profile", "ecs"}}), "ROLE");
    EXPECT_EQ(asked("/container"), 1u);
    EXPECT_EQ(server.requests().back().headers["x-amz-security-token"],
              "token");
    EXPECT_EQ(key({{"sasl_aws_profile", "ec2"}}), "ROLE");
    EXPECT_EQ(key({{"sasl_aws_profile", "web"}}), "WEB");
    EXPECT_EQ(key({{"sasl_aws_profile", "process"}}), "PROCESS");
}

TEST_F(AwsChain, AssumesTheRoleOfTheSettings)
{
    int32_t status;

    container();
    Sasl::Settings role = {{"sasl_aws_role_arn", "arn:aws:iam::2:role/backup"},
                           {"sasl_aws_external_id", "e=1"}};
    EXPECT_EQ(key(role), "ROLE");
    EXPECT_TRUE(has(server.requests().back().body, "ExternalId=e%3D1"));
    sts_status = 403;
    sts_body = "<Code>AccessDenied</Code>";
    std::string says = key(role, &status);
    EXPECT_EQ(status, KBP_ERR_AUTH);
    EXPECT_TRUE(has(says, "arn:aws:iam::2:role/backup")) << says;
    EXPECT_FALSE(has(says, "secret")) << says;
}

TEST_F(AwsChain, KeepsCredentialsAndRenewsThemBeforeTheirEnd)
{
    container();
    Sasl sasl(plugin, "AWS_MSK_IAM", {});
    std::vector<std::thread> threads;

    for (int i = 0; i < 8; i++)
        threads.emplace_back([&] { EXPECT_EQ(key(sasl), "CONTAINER"); });
    for (auto &t : threads)
        t.join();
    EXPECT_EQ(asked("/container"), 1u);
    /* A refusal makes the next one ask again. */
    life = 40;
    {
        Handshake h(sasl, KBP_SASL_TLS, vector_host);
        ASSERT_EQ(h.start(), KBP_OK);
        EXPECT_GT(h.lifetime_ms(), 3500000);
        EXPECT_EQ(h.explain(58, "Access denied"), KBP_ERR_AUTH);
        EXPECT_TRUE(has(h.err.text(), "access key CONTAINER (from the "
                                      "container's endpoint, signed for "
                                      "us-east-1): Access denied"))
            << h.err.text();
        EXPECT_TRUE(has(h.err.text(), "kafka-cluster:Connect"));
    }
    EXPECT_EQ(key(sasl), "CONTAINER");
    EXPECT_EQ(asked("/container"), 2u);
    EXPECT_EQ(key(sasl), "CONTAINER");
    EXPECT_EQ(asked("/container"), 2u);
}

TEST_F(AwsChain, ManyRefusalsOfTheSameCredentialsAreOneReasonToAskAgain)
{
    container();
    Sasl sasl(plugin, "AWS_MSK_IAM", {});
    std::vector<std::unique_ptr<Handshake>> all;

    for (int i = 0; i < 8; i++) {
        all.push_back(
            std::make_unique<Handshake>(sasl, KBP_SASL_TLS, vector_host));
        ASSERT_EQ(all[i]->start(), KBP_OK);
    }
    for (auto &h : all) {
        EXPECT_EQ(h->explain(58, "Access denied"), KBP_ERR_AUTH);
        EXPECT_EQ(key(sasl), "CONTAINER");
    }
    EXPECT_EQ(asked("/container"), 2u);
}

TEST_F(AwsChain, CredentialsThatAreOverAreRefused)
{
    int32_t status;

    container();
    life = -60;
    EXPECT_TRUE(has(key({}, &status), "expired"));
    EXPECT_EQ(status, KBP_ERR_EXPIRED);
}

TEST_F(AwsChain, IsCancelledWhileASourceIsSilent)
{
    Http silent([](const Http::Request &) {
        Http::Answer a;
        a.hang = true;
        return a;
    });
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", silent.url("/x").c_str(), 1);
    Sasl sasl(plugin, "AWS_MSK_IAM", {});
    Handshake h(sasl, 0, vector_host);
    std::thread later([&] {
        usleep(200000);
        h.host.cancel = true;
    });
    auto from = std::chrono::steady_clock::now();
    EXPECT_EQ(h.start(), KBP_ERR_CANCELLED);
    EXPECT_LT(std::chrono::steady_clock::now() - from, std::chrono::seconds(3));
    later.join();
}

/* ---- the mechanisms ------------------------------------------------------ */

TEST_F(AwsChain, GoesThroughAndEndsWithTheAnswerOnly)
{
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "top-secret", 1);
    Sasl sasl(plugin, "AWS_MSK_IAM", {});
    Handshake h(sasl, KBP_SASL_TLS, vector_host), early(sasl, 0, vector_host);

    ASSERT_EQ(h.start(), KBP_OK);
    EXPECT_FALSE(has(h.out, "top-secret"));
    ASSERT_EQ(h.step(R"({"version":"2020_10_22","request-id":"1-2"})"), KBP_OK);
    EXPECT_EQ(h.state, KBP_SASL_DONE);
    EXPECT_EQ(h.lifetime_ms(), -1);
    EXPECT_TRUE(has(h.host.logged(), "request id 1-2"));
    ASSERT_EQ(early.start(), KBP_OK);
    EXPECT_EQ(early.step(""), KBP_ERR_PROTOCOL);
    EXPECT_EQ(early.state, 0);
    EXPECT_TRUE(has(early.host.logged(), "2 AWS IAM without TLS"));
    /* Signed anew each time. */
    Handshake other(sasl, KBP_SASL_TLS, "b-2.x.kafka.us-west-2.amazonaws.com");
    ASSERT_EQ(other.start(), KBP_OK);
    EXPECT_TRUE(has(other.out, "us-west-2/kafka-cluster"));
}

TEST_F(AwsChain, TheOauthbearerFlavourSendsAPresignedUrl)
{
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    EXPECT_STREQ(plugin.sasl("AWS_MSK_IAM_OAUTHBEARER")->mechanism,
                 "OAUTHBEARER");
    Sasl sasl(plugin, "AWS_MSK_IAM_OAUTHBEARER", {});
    Handshake h(sasl, KBP_SASL_TLS, vector_host), no(sasl, 0, vector_host);

    ASSERT_EQ(h.start(), KBP_OK);
    ASSERT_EQ(h.out.rfind("n,,\x01"
                          "auth=Bearer ",
                          0),
              0u);
    std::string url = bearer_url(h.out.substr(16, h.out.size() - 18));
    EXPECT_TRUE(has(url, "https://kafka.us-east-1.amazonaws.com/?Action="))
        << url;
    ASSERT_EQ(h.step(""), KBP_OK);
    EXPECT_EQ(h.state, KBP_SASL_DONE);
    EXPECT_GT(h.lifetime_ms(), 890000);
    EXPECT_LE(h.lifetime_ms(), 900000);
    ASSERT_EQ(no.start(), KBP_OK);
    ASSERT_EQ(no.step(R"({"status":"access_denied"})"), KBP_OK);
    EXPECT_EQ(no.out, "\x01");
    EXPECT_EQ(no.explain(58, "x"), KBP_ERR_AUTH);
    EXPECT_TRUE(has(no.err.text(), "access_denied")) << no.err.text();
}

TEST_F(AwsChain, TheRegionComesFromNameSettingEnvironmentOrProfile)
{
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    unsetenv("AWS_REGION");
    auto region = [&](const Sasl::Settings &s, const char *host) {
        Sasl sasl(plugin, "AWS_MSK_IAM", s);
        Handshake h(sasl, 0, host);
        if (h.start() != KBP_OK)
            return h.err.text();
        size_t at = h.out.find("ENV/") + 4 + 9;
        return h.out.substr(at, h.out.find('/', at) - at);
    };
    EXPECT_EQ(region({{"sasl_aws_region", "eu-west-3"}}, vector_host),
              "us-east-1");
    EXPECT_EQ(region({{"sasl_aws_region", "eu-west-3"}}, "kafka.corp"),
              "eu-west-3");
    {
        Sasl sasl(plugin, "AWS_MSK_IAM", {{"sasl_aws_region", "eu-west-3"}});
        Handshake one(sasl, 0, vector_host), two(sasl, 0, vector_host);
        ASSERT_EQ(one.start(), KBP_OK);
        ASSERT_EQ(two.start(), KBP_OK);
        EXPECT_TRUE(has(one.host.logged(), "1 sasl_aws_region is eu-west-3, "
                                           "but b-1.test"))
            << one.host.logged();
        EXPECT_FALSE(has(two.host.logged(), "sasl_aws_region is"));
    }
    /* A name that isn't MSK's says nothing, whatever it looks like. */
    EXPECT_EQ(region({{"sasl_aws_region", "eu-west-3"}},
                     "b-1.kafka.us-east-1.example.com"),
              "eu-west-3");
    EXPECT_EQ(region({}, "b-1.demo-cluster-1.x.c2.kafka.us-east-1."
                         "amazonaws.com"),
              "us-east-1");
    EXPECT_TRUE(has(region({}, "kafka.corp"), "region isn't known"));
    EXPECT_TRUE(has(region({}, "kafka.corp"), "sasl_aws_region"));
    files("[default]\nregion = eu-south-1\n");
    EXPECT_EQ(region({}, "kafka.corp"), "eu-south-1");
    setenv("AWS_DEFAULT_REGION", "eu-west-2", 1);
    EXPECT_EQ(region({}, "kafka.corp"), "eu-west-2");
    setenv("AWS_REGION", "eu-west-1", 1);
    EXPECT_EQ(region({}, "kafka.corp"), "eu-west-1");
    EXPECT_TRUE(has(region({{"sasl_aws_region", "EU WEST"}}, "kafka.corp"),
                    "a valid one"));
}

TEST_F(AwsChain, SettingsThatCantWorkAreRefusedAtTheStart)
{
    auto says = [&](const Sasl::Settings &s) {
        kbt::Error err = Sasl::refused(plugin, "AWS_MSK_IAM", s);
        EXPECT_EQ(err.status, KBP_ERR_CONFIG);
        return err.text();
    };
    EXPECT_TRUE(has(says({{"sasl_aws_access_key_id", "x"}}), "go together"));
    EXPECT_TRUE(has(says({{"sasl_aws_session_token", "x"}}), "without"));
    EXPECT_TRUE(has(says({{"sasl_aws_access_key_id", "x"},
                          {"sasl_aws_secret_access_key", "x"},
                          {"sasl_aws_profile", "p"}}),
                    "both"));
}

} // namespace

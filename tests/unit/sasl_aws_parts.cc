/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_aws_parts.cc - signatures, MSK's messages, credentials and profiles. */
#include <gtest/gtest.h>

#include "plugin_harness.h"

extern "C" {
#include "../../sasl/aws/aws_profile.h"
#include "../../sasl/aws/aws_sigv4.h"
#include "../../sasl/aws_msk_iam/msk_message.h"
#include "../../sasl/common/sasl_base64.h"
#include "../../sasl/common/sasl_json.h"
}

namespace
{

bool has(const std::string &text, const std::string &part)
{
    return text.find(part) != std::string::npos;
}

struct Text : kb_text {
    explicit Text(size_t most = 1 << 20)
    {
        kb_text_init(this, most);
    }
    Text(const Text &) = delete;
    ~Text()
    {
        kb_text_release(this);
    }
    std::string str() const
    {
        return std::string(kb_text_str(this), len);
    }
};

struct Keys : kb_aws_keys {
    Keys() : kb_aws_keys{}
    {
    }
    Keys(const char *access, const char *secret, const char *session)
        : kb_aws_keys{}
    {
        kbt::Error err;
        if (kb_aws_keys_set(this, access, secret, session, &err) != KBP_OK)
            throw std::runtime_error(err.text());
    }
    Keys(const Keys &) = delete;
    ~Keys()
    {
        kb_aws_keys_release(this);
    }
};

/* ---- signatures ---------------------------------------------------------- */

const char example_key[] = "AKIAIOSFODNN7EXAMPLE";
const char example_secret[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/* "Authenticating Requests: Using Query Parameters" of the S3 API reference. */
TEST(Sigv4, PresignsTheExampleOfTheS3Reference)
{
    Keys keys(example_key, example_secret, nullptr);
    struct kb_sigv4_request req = {};
    struct kb_sigv4 sig;
    kbt::Error err;

    req.method = "GET";
    req.host = "examplebucket.s3.amazonaws.com";
    req.path = "/test.txt";
    req.payload_sha256 = "UNSIGNED-PAYLOAD";
    req.region = "us-east-1";
    req.service = "s3";
    req.when = 1369353600;
    ASSERT_EQ(kb_sigv4_presign(&req, &keys, 86400, &sig, &err), KBP_OK);
    EXPECT_STREQ(
        kb_text_str(&sig.query),
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
        "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&"
        "X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders="
        "host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957"
        "d157751f604d404");
    kb_text_release(&sig.query);
}

/* "Create a signed AWS API request" of the IAM user guide. */
TEST(Sigv4, AuthorizesTheExampleOfTheIamGuide)
{
    Keys keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
              nullptr);
    struct kb_aws_param query[] = {{"Version", "2010-05-08"},
                                   {"Action", "ListUsers"}};
    struct kb_aws_param headers[] = {
        {"x-amz-date", "20150830T123600Z"},
        {"content-type", "application/x-www-form-urlencoded; charset=utf-8"}};
    struct kb_sigv4_request req = {};
    kbt::Error err;
    Text out;

    req.method = "GET";
    req.host = "iam.amazonaws.com";
    req.path = "/";
    req.query = query;
    req.query_count = 2;
    req.headers = headers;
    req.header_count = 2;
    req.payload_sha256 = KB_SHA256_EMPTY;
    req.region = "us-east-1";
    req.service = "iam";
    req.when = 1440938160;
    ASSERT_EQ(kb_sigv4_authorize(&req, &keys, &out, &err), KBP_OK);
    EXPECT_EQ(
        out.str(),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/"
        "aws4_request, SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b592"
        "4a6f2b5d7");
}

const time_t vector_time = 1704067200; /* 20240101T000000Z */
const char vector_host[] = "b-1.test.abc123.c2.kafka.us-east-1.amazonaws.com";

std::string payload(const Keys &keys)
{
    kbt::Error err;
    Text out;

    EXPECT_EQ(kb_msk_payload(&keys, vector_host, "us-east-1", "agent/1",
                             vector_time, &out, &err),
              KBP_OK);
    return out.str();
}

TEST(MskMessage, SignsThePayloadOfAwsMskIam)
{
    Keys keys(example_key, example_secret, nullptr);

    EXPECT_EQ(
        payload(keys),
        R"({"version":"2020_10_22","host":"b-1.test.abc123.c2.kafka.)"
        R"(us-east-1.amazonaws.com","user-agent":"agent/1","action":)"
        R"("kafka-cluster:Connect","x-amz-algorithm":"AWS4-HMAC-SHA256",)"
        R"("x-amz-credential":"AKIAIOSFODNN7EXAMPLE/20240101/us-east-1/)"
        R"(kafka-cluster/aws4_request","x-amz-date":"20240101T000000Z",)"
        R"("x-amz-signedheaders":"host","x-amz-expires":"900",)"
        R"("x-amz-signature":"b2dd36f79e79209f5391df945a7d76c04f71546307919)"
        R"(c06d7a41121c789fe5f"})");
}

TEST(MskMessage, SignsTheSessionTokenWithIt)
{
    Keys keys(example_key, example_secret, "SESSION/TOKEN+EXAMPLE==");
    std::string json = payload(keys);

    EXPECT_TRUE(
        has(json, R"("x-amz-security-token":"SESSION/TOKEN+EXAMPLE==")"));
    EXPECT_TRUE(has(json,
                    "60c7b22c528471b881c94f6f385ff6831d1a9179a652387ea984c"
                    "39cd839d47b"))
        << json;
}

std::string bearer_url(const std::string &token)
{
    std::string raw(token.size(), '\0');
    ssize_t n = kb_base64_decode(&raw[0], raw.size(), KB_BASE64_URL,
                                 token.data(), token.size());
    raw.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return raw;
}

TEST(MskMessage, SignsTheTokenOfTheOauthbearerFlavour)
{
    Keys keys(example_key, example_secret, nullptr);
    kbt::Error err;
    Text out;

    ASSERT_EQ(kb_msk_token(&keys, "us-east-1", "kafka backup/1", vector_time,
                           &out, &err),
              KBP_OK);
    std::string url = bearer_url(out.str());
    EXPECT_EQ(url.rfind("https://kafka.us-east-1.amazonaws.com/?Action="
                        "kafka-cluster%3AConnect&X-Amz-Algorithm=",
                        0),
              0u)
        << url;
    EXPECT_TRUE(has(url,
                    "&X-Amz-Signature=083ac0649124b99c022ac874d20b71235d5d4"
                    "d10f2f88f8cca1373d38d7a14d2&User-Agent="
                    "kafka%20backup%2F1"))
        << url;
}

/* AWS's signers for Java, Python and Go have one host name for all regions. */
TEST(MskMessage, SignsForTheSameHostInChina)
{
    Keys keys(example_key, example_secret, nullptr);
    kbt::Error err;
    Text out;

    ASSERT_EQ(
        kb_msk_token(&keys, "cn-north-1", "agent", vector_time, &out, &err),
        KBP_OK);
    EXPECT_TRUE(has(bearer_url(out.str()),
                    "https://kafka.cn-north-1.amazonaws.com/?Action="));
}

TEST(MskMessage, FindsTheRegionInABrokersName)
{
    auto region = [](const char *host) {
        Text out;
        return kb_msk_region(host, &out) ? out.str() : "none";
    };

    EXPECT_EQ(region(vector_host), "us-east-1");
    EXPECT_EQ(
        region("boot-x1.c1.kafka-serverless.ap-southeast-2.amazonaws.com"),
        "ap-southeast-2");
    EXPECT_EQ(region("b-1.a.b.c2.kafka.us-gov-west-1.amazonaws.com"),
              "us-gov-west-1");
    EXPECT_EQ(region("b-1.a.b.c2.kafka.cn-north-1.amazonaws.com.cn"),
              "cn-north-1");
    EXPECT_EQ(region("b-1.a.b.c2.kafka.eusc-de-east-1.amazonaws.eu"),
              "eusc-de-east-1");
    /* What looks like a region on the left is the user's name for it. */
    EXPECT_EQ(region("b-1.demo-cluster-1.x1.c2.kafka.us-east-1.amazonaws.com"),
              "us-east-1");
    EXPECT_EQ(region("b-1.iam.eu-west-1.x1.c2.kafka.us-east-1.amazonaws.com"),
              "us-east-1");
    EXPECT_EQ(region("B-1.X.C2.KAFKA.US-EAST-1.AMAZONAWS.COM."), "us-east-1");
    /* Not MSK's names, so the settings say it. */
    for (const char *other :
         {"b-1.us-east-1.example.com", "b-1.c2.kafka.us-east-1.example.com",
          "ec2-1-2-3-4.us-east-1.compute.amazonaws.com",
          "b-1.notkafka.us-east-1.amazonaws.com",
          "nlb-1.elb.us-east-1.amazonaws.com", "kafka.us-east-1.amazonaws.com",
          "us-east-1.amazonaws.com", "amazonaws.com", ".amazonaws.com",
          "b-1.kafka..amazonaws.com", "us-east-1"})
        EXPECT_EQ(region(other), "none") << other;
    EXPECT_EQ(region(std::string(300, 'a').c_str()), "none");
    EXPECT_EQ(region("kafka.example.com"), "none");
    EXPECT_EQ(region("b-1.kafka-1.x"), "none");
    EXPECT_EQ(region("10.0.0.1"), "none");
    EXPECT_EQ(region(""), "none");
}

TEST(MskMessage, TakesTheAnswerOfMskOnly)
{
    char id[16];
    kbt::Error err;
    auto answer = [&](const std::string &text) {
        return kb_msk_answer(text.data(), text.size(), id, sizeof id, &err);
    };

    EXPECT_EQ(answer(R"({"version":"2020_10_22","request-id":"r-1"})"), KBP_OK);
    EXPECT_STREQ(id, "r-1");
    EXPECT_EQ(answer(R"({"version":"2020_10_22"})"), KBP_OK);
    EXPECT_EQ(answer(""), KBP_ERR_PROTOCOL);
    EXPECT_EQ(answer("{}"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(answer(R"({"version":"2021_01_01"})"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(answer(R"({"version":7})"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(answer(R"(["version"])"), KBP_ERR_PROTOCOL);
    EXPECT_EQ(answer("\xff"), KBP_ERR_PROTOCOL);
}

/* ---- parts of the chain -------------------------------------------------- */

TEST(AwsKeys, ReadsTimes)
{
    EXPECT_EQ(kb_aws_time("1970-01-01T00:00:01Z"), 1000);
    EXPECT_EQ(kb_aws_time("2024-01-01T00:00:00Z"), 1704067200000);
    EXPECT_EQ(kb_aws_time("2024-01-01T00:00:00.123Z"), 1704067200000);
    EXPECT_EQ(kb_aws_time("2024-01-01T00:00:00+00:00"), 1704067200000);
    for (const char *bad : {"", "2024", "2024-01-01", "2024-01-01T00:00:00",
                            "2024-13-01T00:00:00Z", "2024-01-01T00:00:00+02:00",
                            "2024-01-01 00:00:00Z", "-024-01-01T00:00:00Z",
                            "2024-01-01T00:00:00Zx", "1969-01-01T00:00:00Z"})
        EXPECT_EQ(kb_aws_time(bad), -1) << bad;
}

TEST(AwsKeys, UnescapesXml)
{
    std::string xml = "<a><Code>x &amp; &lt;y&gt; &quot;z&apos; &#65;</Code>"
                      "<Open>never closed";
    auto find = [&](const char *tag) {
        Text out;
        return kb_xml_find(xml.data(), xml.size(), tag, &out) ? out.str()
                                                              : "none";
    };

    EXPECT_EQ(find("Code"), "x & <y> \"z' &#65;");
    EXPECT_EQ(find("Open"), "none");
    EXPECT_EQ(find("Missing"), "none");
}

TEST(AwsKeys, RefusesKeysThatDontBelongInARequest)
{
    kbt::Error err;
    struct kb_aws_keys keys = {};

    EXPECT_EQ(kb_aws_keys_set(&keys, "", "x", nullptr, &err), KBP_ERR_CONFIG);
    EXPECT_EQ(kb_aws_keys_set(&keys, "a", "x\r\nInjected: 1", nullptr, &err),
              KBP_ERR_CONFIG);
    EXPECT_FALSE(has(err.text(), "Injected"));
    EXPECT_EQ(kb_aws_keys_set(&keys, "a", "x", "\xc3\xa9", &err),
              KBP_ERR_CONFIG);
}

TEST(AwsProfile, ReadsBothFilesAsAwsDoes)
{
    kbt::TempDir dir;
    kbt::Error err;
    struct kb_aws_files files;
    std::string config =
        dir.file("config", "# comment\n[default]\nregion = eu-west-1 # here\n"
                           "s3 =\n  max_queue_size = 1\n  region = nested\n"
                           "[profile backup]\r\nrole_arn=arn:x\r\n"
                           "external_id = a#b\n[profile \"two words\"]\n"
                           "region=us-east-2\n[backup]\nregion=wrong\n"
                           "[sso-session x]\nregion=wrong\n");
    std::string credentials =
        dir.file("credentials", "[backup]\naws_access_key_id = AK\n"
                                " aws_secret_access_key = indented\n"
                                "[profile default]\nregion = wrong");

    struct kb_aws_path at = {config.c_str(), nullptr, 0},
                       keys_at = {credentials.c_str(), nullptr, 0};
    ASSERT_EQ(kb_aws_files_read(&files, &at, &keys_at, nullptr, &err), KBP_OK);
    auto get = [&](const char *profile, const char *key) {
        Text value;
        return kb_aws_profile_get(&files, profile, key, &value) ? value.str()
                                                                : "none";
    };
    EXPECT_EQ(get("default", "region"), "eu-west-1");
    EXPECT_EQ(get("default", "max_queue_size"), "none");
    EXPECT_EQ(get("backup", "role_arn"), "arn:x");
    EXPECT_EQ(get("backup", "external_id"), "a#b");
    EXPECT_EQ(get("backup", "aws_access_key_id"), "AK");
    EXPECT_EQ(get("backup", "aws_secret_access_key"), "none");
    EXPECT_EQ(get("backup", "region"), "none");
    EXPECT_EQ(get("two words", "region"), "us-east-2");
    EXPECT_EQ(get("x", "region"), "none");
    EXPECT_TRUE(kb_aws_profile_exists(&files, "two words"));
    EXPECT_FALSE(kb_aws_profile_exists(&files, "none"));
    EXPECT_TRUE(kb_aws_profile_has(&files, "default", "s3"));
    EXPECT_FALSE(kb_aws_profile_has(&files, "backup", "s3"));
    kb_aws_files_release(&files);
    at.path = "/no/config";
    keys_at.path = nullptr;
    ASSERT_EQ(kb_aws_files_read(&files, &at, &keys_at, nullptr, &err), KBP_OK);
    EXPECT_FALSE(kb_aws_profile_exists(&files, "default"));
    kb_aws_files_release(&files);
}

} // namespace

/* SPDX-License-Identifier: Apache-2.0 */
/* keys_kafka.c - the keys of `source:` and `target:`. */
#include "config/custom.h"

#define SECURITY(member) offsetof(struct kb_security_settings, member)
#define CONNECTION(member) offsetof(struct kb_connection_settings, member)
#define KAFKA(member) offsetof(struct kb_kafka_settings, member)

/* A setting of a SASL mechanism, which its plugin checks. */
#define SASL(key_name, key_flags, text)                               \
    {                                                                 \
        .name = key_name, .type = KB_KEY_SETTING, .flags = key_flags, \
        .at = SECURITY(sasl), .help = text                            \
    }

static const struct kb_key security_keys[] = {
    {.name = "security_protocol",
     .type = KB_KEY_CHOICE,
     .at = SECURITY(protocol),
     .default_text = "PLAINTEXT",
     .choices = "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL",
     .help = "what the listener speaks"},
    {.name = "sasl_mechanism",
     .type = KB_KEY_CUSTOM,
     .at = SECURITY(sasl_mechanism),
     .read = kb_read_mechanism,
     .drop = kb_drop_mechanism,
     .form = "name",
     .help = "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` (also without the "
             "second dash), `GSSAPI`, `OAUTHBEARER`, `AWS_MSK_IAM`, or that "
             "of any plugin; required with a SASL protocol"},
    SASL("sasl_username", 0, "user of PLAIN and SCRAM"),
    SASL("sasl_password", KB_KEY_HIDDEN,
         "its password; rather a variable or a file than the text itself"),
    SASL("sasl_password_file", 0,
         "file with the password, read again when it changes"),
    SASL("sasl_kerberos_service_name", 0,
         "first part of the brokers' principal; `kafka` when absent"),
    SASL("sasl_keytab_path", 0,
         "keytab with the client's key; absent: the user's ticket cache"),
    SASL("sasl_krb5_config_path", 0, "instead of /etc/krb5.conf"),
    {.name = "sasl_options",
     .type = KB_KEY_RAW,
     .at = SECURITY(sasl),
     .form = "{option: value}",
     .help = "further options of the mechanism's plugin, `kafka-backup plugin "
             "describe NAME` lists them; those which begin with `sasl_` may "
             "also stand beside `sasl_mechanism`"},
    {.name = "ssl_ca_location",
     .type = KB_KEY_PATH,
     .flags = KB_KEY_NON_EMPTY,
     .at = SECURITY(ssl_ca_location),
     .help = "PEM file or folder with the CAs to trust; absent: those of the "
             "system"},
    {.name = "ssl_certificate_location",
     .type = KB_KEY_PATH,
     .flags = KB_KEY_NON_EMPTY,
     .at = SECURITY(ssl_certificate_location),
     .help = "PEM file with our certificate and its chain (mTLS)"},
    {.name = "ssl_key_location",
     .type = KB_KEY_PATH,
     .flags = KB_KEY_NON_EMPTY,
     .at = SECURITY(ssl_key_location),
     .help = "PEM file with its key, encrypted or not"},
    {.name = "ssl_key_password",
     .type = KB_KEY_SECRET,
     .at = SECURITY(ssl_key_password),
     .help = "password of the key"},
    {.name = "ssl_key_password_file",
     .type = KB_KEY_PATH,
     .flags = KB_KEY_NON_EMPTY,
     .at = SECURITY(ssl_key_password_file),
     .help = "file with that password"},
    {.name = "ssl_endpoint_identification_algorithm",
     .type = KB_KEY_CUSTOM,
     .at = SECURITY(ssl_verify_host),
     .read = kb_read_verify_host,
     .drop = kb_drop_verify_host,
     .default_text = "https",
     .form = "https\\|none",
     .help = "`none` doesn't verify host names (with a warning)"},
};

static const struct kb_section security_section = {
    .help = "TLS and SASL. Every mechanism is a plugin of its own.",
    KB_KEYS(security_keys),
    .raw_prefix = "sasl_",
    .raw_at = SECURITY(sasl)};

static const struct kb_key connection_keys[] = {
    {.name = "client_id",
     .type = KB_KEY_STRING,
     .flags = KB_KEY_NON_EMPTY,
     .at = CONNECTION(client_id),
     .default_text = "kafka-backup",
     .help = "who we are to the brokers: their quotas and logs use it"},
    {.name = "client_rack",
     .type = KB_KEY_STRING,
     .at = CONNECTION(client_rack),
     .default_text = "",
     .help = "our rack or zone, to fetch from a replica near by (KIP-392)"},
    {.name = "connect_timeout",
     .type = KB_KEY_MS,
     .at = CONNECTION(connect_timeout_ms),
     .default_text = "15s",
     .min = 100,
     .max = 3600000,
     .help = "for name, TCP, TLS and SASL together"},
    {.name = "request_timeout",
     .type = KB_KEY_MS,
     .at = CONNECTION(request_timeout_ms),
     .default_text = "60s",
     .min = 1000,
     .max = 3600000,
     .help = "for an answer, the time the broker throttles us aside"},
    {.name = "connections_per_broker",
     .type = KB_KEY_INT,
     .min = 1,
     .max = 64,
     .unused =
         "one connection carries many requests at a time; more are opened "
         "where they are needed"},
    {.name = "tcp_nodelay",
     .type = KB_KEY_BOOL,
     .at = CONNECTION(tcp_nodelay),
     .default_text = "true",
     .help = "send small requests at once"},
    {.name = "tcp_keepalive",
     .type = KB_KEY_BOOL,
     .at = CONNECTION(tcp_keepalive),
     .default_text = "true",
     .help = "notice peers which vanished without a word"},
    {.name = "keepalive_time_secs",
     .type = KB_KEY_SECS,
     .at = CONNECTION(keepalive_time_ms),
     .default_text = "60",
     .min = 1000,
     .max = 86400000,
     .help = "idle time before the first probe"},
    {.name = "keepalive_interval_secs",
     .type = KB_KEY_SECS,
     .at = CONNECTION(keepalive_interval_ms),
     .default_text = "20",
     .min = 1000,
     .max = 86400000,
     .help = "time between probes"},
    {.name = "broker_overrides",
     .type = KB_KEY_CUSTOM,
     .at = CONNECTION(broker_overrides),
     .read = kb_read_overrides,
     .drop = kb_drop_overrides,
     .form = "{host[:port]: host[:port]}",
     .help = "where an advertised address is really reached (port-forwards, "
             "PrivateLink, proxies); TLS still verifies the advertised name"},
};

static const struct kb_section connection_section = {
    .help = "How connections to the brokers are made.",
    KB_KEYS(connection_keys)};

#define TOPICS(member) \
    (offsetof(struct kb_kafka_settings, member) - KAFKA(topics_include))

static const struct kb_key source_topic_keys[] = {
    {.name = "include",
     .type = KB_KEY_STRINGS,
     .at = TOPICS(topics_include),
     .help = "names or patterns (`*` any run, `?` one character); absent: all. "
             "A name without pattern has to exist"},
    {.name = "exclude",
     .type = KB_KEY_STRINGS,
     .at = TOPICS(topics_exclude),
     .help = "what is left out of them; wins"},
};

static const struct kb_key target_topic_keys[] = {
    {.name = "include",
     .type = KB_KEY_STRINGS,
     .at = TOPICS(topics_include),
     .help = "names or patterns of topics as they are in the backup, also "
             "`~` and a regular expression; absent: all"},
    {.name = "exclude",
     .type = KB_KEY_STRINGS,
     .at = TOPICS(topics_exclude),
     .help = "what is left out of them; wins"},
};

static const struct kb_section source_topics = {.help = "Which topics.",
                                                KB_KEYS(source_topic_keys)};
static const struct kb_section target_topics = {.help = "Which topics.",
                                                KB_KEYS(target_topic_keys)};

#define KAFKA_KEYS(topic_section)                                              \
    {.name = "bootstrap_servers",                                              \
     .type = KB_KEY_CUSTOM,                                                    \
     .flags = KB_KEY_REQUIRED,                                                 \
     .at = KAFKA(bootstrap_servers),                                           \
     .read = kb_read_servers,                                                  \
     .drop = kb_drop_servers,                                                  \
     .form = "[host:port]",                                                    \
     .help = "brokers to start from, tried in this order; a list, or one "     \
             "text with commas"},                                              \
        {.name = "security",                                                   \
         .type = KB_KEY_SECTION,                                               \
         .at = KAFKA(security),                                                \
         .section = &security_section},                                        \
        {.name = "topics",                                                     \
         .type = KB_KEY_SECTION,                                               \
         .at = KAFKA(topics_include),                                          \
         .section = &(topic_section)},                                         \
    {                                                                          \
        .name = "connection", .type = KB_KEY_SECTION, .at = KAFKA(connection), \
        .section = &connection_section                                         \
    }

static const struct kb_key source_keys[] = {KAFKA_KEYS(source_topics)};
static const struct kb_key target_keys[] = {KAFKA_KEYS(target_topics)};

const struct kb_section kb_source_section = {
    .help = "The cluster that is backed up.", KB_KEYS(source_keys)};
const struct kb_section kb_target_section = {
    .help = "The cluster that is restored to.", KB_KEYS(target_keys)};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * properties.h - the properties of Kafka's clients that we take over, and what
 * they mean to our transport.
 */
#ifndef KB_RDKAFKA_PROPERTIES_H
#define KB_RDKAFKA_PROPERTIES_H

#include "base/secret.h"
#include "kafka/auth.h"

/* One property as the application set it. */
struct kb_property {
    char *name;
    struct kb_secret value;
};

struct kb_properties {
    struct kb_property *items;
    size_t count;
};

enum kb_property_owner {
    KB_PROPERTY_THEIRS, /* librdkafka's: we don't look at it */
    KB_PROPERTY_BOTH,   /* librdkafka keeps it, and we read it there */
    KB_PROPERTY_OURS    /* librdkafka doesn't see it */
};

/*
 * User and password of librdkafka's PLAIN where the application gave none; a
 * mechanism of ours takes them for that.
 */
#define KB_NOTHING_GIVEN "kafka_backup_sasl"

/* Whose a property of that name is. */
enum kb_property_owner kb_property_owner(const char *name);

/*
 * Check a value as far as it can be judged alone: KBP_ERR_CONFIG with what is
 * wrong, the essential first (some clients cut the text at 127 bytes).
 */
int kb_property_check(const char *name, const char *value,
                      struct kbp_error *err);

/* Copies both; the last value of a name counts. KBP_ERR_NOMEM. */
int kb_properties_set(struct kb_properties *properties, const char *name,
                      const char *value, struct kbp_error *err);
/* "sasl.mechanisms" is "sasl.mechanism". NULL: not set. */
const char *kb_properties_get(const struct kb_properties *properties,
                              const char *name);

/* Wipes and frees; takes zero values. */
void kb_properties_release(struct kb_properties *properties);

/*
 * Read a file of "name=value" lines ('#' begins a comment): the settings file
 * for programs whose order of properties is random.
 */
int kb_properties_read(struct kb_properties *properties, const char *path,
                       struct kbp_error *err);

struct kb_protocol {
    bool tls;
    bool sasl;
    /* OAUTHBEARER with a token of the application's own callback: librdkafka's
       exchange passes as it is, over our TLS. */
    bool relay;
};

/* What security.protocol and sasl.mechanism come to. */
struct kb_protocol
kb_properties_protocol(const struct kb_properties *properties);

/* The mechanism's options from properties, kafka_backup.sasl.options, user
 * and password (which may be empty). */
struct kb_sasl_values {
    struct kb_kv *items;
    size_t count;
    char *options; /* what items of kafka_backup.sasl.options point into */
};

/*
 * Point into `properties`, `user` and `password`, which outlive `values`; those
 * that `type` has no option for are left out.
 */
int kb_properties_sasl(const struct kb_properties *properties,
                       const struct kb_type *type, const char *user,
                       const char *password, struct kb_sasl_values *values,
                       struct kbp_error *err);
void kb_sasl_values_release(struct kb_sasl_values *values);

/* Pointers into `properties`, which outlive `tls`. */
void kb_properties_tls(const struct kb_properties *properties,
                       struct kb_tls_settings *tls);

#endif

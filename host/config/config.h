/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - the configuration, read and checked.
 *
 * load.c fills these structs from YAML by the tables in keys_*.c, which hold
 * each key's type, default, range and documentation (docs/CONFIG.md is printed
 * from them).  Once loaded it is constant.  [any thread, to read]
 *
 * Strings are never NULL unless it says so; integers which may be absent are
 * KB_UNSET then.  Times are milliseconds, sizes bytes.
 */
#ifndef KB_CONFIG_CONFIG_H
#define KB_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

#define KB_UNSET INT64_MIN

struct kb_strings {
    char **items;
    size_t count;
};

struct kb_integers {
    int64_t *items;
    size_t count;
};

/* "key: value" pairs whose meaning the reader knows: topic names, say. */
struct kb_pair {
    char *key;
    char *value;
    unsigned line;
};

struct kb_pairs {
    struct kb_pair *items;
    size_t count;
};

/* Settings for a plugin, checked later against its option table. */
struct kb_raw_setting {
    char *name;
    struct kb_secret value; /* any of them may be one */
    unsigned line;          /* in the file, for errors */
};

struct kb_raw_settings {
    struct kb_raw_setting *items;
    size_t count;
};

/* The value of a setting, or NULL. */
const char *kb_setting_value(const struct kb_raw_settings *settings,
                             const char *name);

enum kb_mode { KB_MODE_BACKUP, KB_MODE_RESTORE };

enum kb_security_protocol {
    KB_PLAINTEXT,
    KB_SSL,
    KB_SASL_PLAINTEXT,
    KB_SASL_SSL
};

struct kb_security_settings {
    enum kb_security_protocol protocol;
    char *sasl_mechanism; /* in Kafka's spelling: "SCRAM-SHA-256"; or NULL */
    struct kb_raw_settings sasl; /* the other sasl_* keys, and sasl_options */
    char *ssl_ca_location;       /* file or folder; NULL: the system's */
    char *ssl_certificate_location; /* NULL: none */
    char *ssl_key_location;         /* NULL: none */
    struct kb_secret ssl_key_password;
    char *ssl_key_password_file; /* NULL: none */
    bool ssl_verify_host;        /* the certificate is for this host name */
};

/* Where an advertised address is really reached. */
struct kb_override_setting {
    char *from_host;
    uint16_t from_port; /* 0: any */
    char *to_host;
    uint16_t to_port; /* 0: the same */
};

struct kb_override_settings {
    struct kb_override_setting *items;
    size_t count;
};

struct kb_connection_settings {
    char *client_id;
    char *client_rack; /* "" for none */
    int64_t connect_timeout_ms;
    int64_t request_timeout_ms;
    bool tcp_nodelay;
    bool tcp_keepalive;
    int64_t keepalive_time_ms;
    int64_t keepalive_interval_ms;
    struct kb_override_settings broker_overrides;
};

struct kb_kafka_settings {
    bool present;
    struct kb_strings bootstrap_servers; /* "host:port", "[::1]:9092" */
    struct kb_security_settings security;
    struct kb_connection_settings connection;
    /* Globs (kb_glob_match()); for restore also "~regex", of source names. */
    struct kb_strings topics_include; /* empty: all */
    struct kb_strings topics_exclude; /* wins */
};

/* How the store's errors are tried again. */
struct kb_retry_settings {
    int64_t timeout_ms; /* without progress */
};

struct kb_storage_settings {
    char *backend;                 /* the plugin's type: "filesystem", "s3" */
    unsigned line;                 /* of the section, for errors */
    struct kb_raw_settings plugin; /* all else under `storage:` */
    struct kb_retry_settings retry;
    int64_t lease_ttl_ms; /* a writer that is silent for so long is dead */
};

enum kb_start_kind {
    KB_START_EARLIEST,
    KB_START_LATEST,
    KB_START_SPECIFIC /* as listed; earliest where nothing is */
};

struct kb_start_offset {
    char *topic;
    int32_t partition;
    int64_t offset;
};

struct kb_start_setting {
    enum kb_start_kind kind;
    struct kb_start_offset *items;
    size_t count;
};

enum kb_isolation_setting {
    KB_ISOLATION_READ_COMMITTED,
    KB_ISOLATION_READ_UNCOMMITTED
};

enum kb_missing_topic { KB_MISSING_TOPIC_FAIL, KB_MISSING_TOPIC_WARN };

struct kb_backup_settings {
    uint64_t segment_max_bytes; /* of batches, before compression by codec */
    int64_t segment_max_interval_ms;
    uint64_t segment_max_records; /* 0: no limit */
    char *compression;            /* codec for what isn't compressed; "none" */
    int64_t compression_level;
    struct kb_raw_settings compression_options; /* of the codec */
    uint64_t frame_bytes;                       /* aim, before compression */
    int64_t encoder_threads;                    /* 0: one per processor */
    int64_t store_threads;                      /* uploads at a time */
    struct kb_start_setting start_offset;
    bool continuous;
    bool stop_at_current_offsets;
    bool include_internal_topics;
    struct kb_strings internal_topics; /* narrows, unless empty */
    bool consumer_group_snapshot;
    bool consumer_groups_asked;                /* the key above was written */
    int64_t consumer_group_interval_ms;        /* continuous */
    struct kb_strings consumer_groups_include; /* globs; empty: all */
    struct kb_strings consumer_groups_exclude;
    bool require_topic_configs;
    enum kb_missing_topic on_missing_topic;
    int64_t max_concurrent_partitions; /* in one request for catching up */
    int64_t poll_interval_ms;          /* longest wait of a tailing fetch */
    int64_t discovery_interval_ms;     /* new topics and partitions */
    int64_t commit_interval_ms;        /* at most so long uncommitted */
    uint64_t fetch_max_bytes;          /* of one answer; 0: by the budget */
    enum kb_isolation_setting isolation_level;
    int64_t open_transaction_timeout_ms;
    int64_t leader_timeout_ms;           /* for a partition to be begun */
    int64_t stall_timeout_ms;            /* nothing comes of a partition */
    uint64_t rate_limit_records_per_sec; /* 0: none; of the whole run */
    uint64_t rate_limit_bytes_per_sec;
};

enum kb_retention_kind {
    KB_RETENTION_SAFE,     /* captured, unless it would delete what came back */
    KB_RETENTION_CAPTURED, /* captured in any case */
    KB_RETENTION_KEEP_OFF,
    KB_RETENTION_MS /* this one */
};

struct kb_retention_setting {
    enum kb_retention_kind kind;
    int64_t ms; /* of KB_RETENTION_MS */
};

enum kb_repartition_strategy {
    KB_REPARTITION_MURMUR2,
    KB_REPARTITION_AUTOMATIC
};

struct kb_repartition_setting {
    char *topic; /* in the target */
    enum kb_repartition_strategy strategy;
    int32_t partitions;
};

struct kb_repartition_settings {
    struct kb_repartition_setting *items;
    size_t count;
};

enum kb_group_strategy {
    KB_GROUPS_SKIP,
    KB_GROUPS_HEADER_BASED, /* also sets include_original_offset_header */
    KB_GROUPS_TIMESTAMP_BASED,
    KB_GROUPS_CLUSTER_SCAN,
    KB_GROUPS_MANUAL
};

struct kb_restore_settings {
    char *restore_id;          /* names the run; "" lets the engine choose */
    int64_t time_window_start; /* KB_UNSET: open; epoch ms, inclusive */
    int64_t time_window_end;
    struct kb_integers source_partitions; /* empty: all */
    struct kb_pairs partition_mapping;    /* decimal, >= 0; of all topics */
    struct kb_pairs topic_mapping;        /* source -> target */
    enum kb_group_strategy consumer_group_strategy;
    struct kb_strings consumer_groups; /* names or globs */
    bool reset_consumer_offsets;
    bool auto_consumer_groups;
    struct kb_pairs group_mapping; /* captured name -> name in the target */
    bool dry_run;
    bool validate_only; /* the command is validate-restore; no key */
    bool include_original_offset_header;
    bool strip_offset_headers;
    bool include_aborted; /* records of aborted transactions, too */
    uint64_t rate_limit_records_per_sec; /* 0: none; of the whole run */
    uint64_t rate_limit_bytes_per_sec;
    int64_t max_concurrent_partitions;
    int64_t decoder_threads;      /* 0: one per processor */
    uint64_t produce_batch_bytes; /* small batches are joined up to it */
    int64_t produce_timeout_ms;   /* the broker's */
    char *checkpoint_state;       /* local file; NULL: in the store */
    char *offset_report;          /* local file; NULL: none */
    bool create_topics;
    int64_t default_replication_factor; /* KB_UNSET: as captured */
    struct kb_pairs topic_config_overrides;
    bool topic_configs; /* give topics the captured configs */
    struct kb_retention_setting retention;
    bool allow_non_empty;    /* append to topics with records in them */
    bool allow_config_drift; /* existing topics whose configs alter records */
    bool skip_damaged;       /* leave out what can't be read, and say so */
    bool purge_topics;
    struct kb_repartition_settings repartitioning;
};

struct kb_metrics_settings {
    bool enabled; /* the section is there, and doesn't say no */
    char *bind_address;
    uint16_t port;
    char *path; /* beside /metrics */
    int64_t update_interval_ms;
    int64_t keep_alive_ms;        /* serve on after the job */
    int64_t max_partition_labels; /* 0: no limit */
};

struct kb_config {
    char *file; /* its name, for messages */
    enum kb_mode mode;
    char *backup_id;
    uint64_t memory_limit; /* for all that is buffered */
    struct kb_kafka_settings source;
    struct kb_kafka_settings target;
    struct kb_storage_settings storage;
    struct kb_backup_settings backup;
    struct kb_restore_settings restore;
    struct kb_metrics_settings metrics;
};

/* What there is to say about a file: all errors at once, and warnings. */
struct kb_note {
    bool is_error;
    unsigned line; /* 0: of the file as a whole */
    char *text;    /* "backup.compresion: unknown key; did you mean ..." */
};

struct kb_notes {
    struct kb_note *items;
    size_t count;
    size_t errors;
};

/*
 * Read the file ("-": stdin).  `notes` holds all that was found, also after a
 * success; an error is in `err` only where there is no file to speak of, else
 * it counts them.  `config` is filled in on success, all-zero otherwise.
 */
int kb_config_load(const char *path, struct kb_config *config,
                   struct kb_notes *notes, struct kbp_error *err);

/* The same from memory; `name` stands for the file. */
int kb_config_parse(const char *text, size_t len, const char *name,
                    struct kb_config *config, struct kb_notes *notes,
                    struct kbp_error *err);

/* Each takes zero values. Secrets are wiped. */
void kb_config_release(struct kb_config *config);
void kb_notes_release(struct kb_notes *notes);

/*
 * All defaults, as of a file in which nothing but what is required is written:
 * for commands without a file, and for tests.  Same rules as kb_config_parse().
 */
int kb_config_defaults(struct kb_config *config, struct kbp_error *err);

#endif

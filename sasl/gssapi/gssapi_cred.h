/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gssapi_cred.h - Kerberos credentials, from a keytab or the user's ccache.
 *
 * From a keytab they live in a MEMORY ccache of their own, so neither a stale
 * ticket of the user's nor a file is involved, and no kinit.  When less than
 * half of their life is left, the next handshake gets new ones in a new
 * ccache; who still uses the old ones keeps them until done.  While the KDC
 * gives none, and while one handshake waits for it, the old ones are used.
 */
#ifndef KB_GSSAPI_CRED_H
#define KB_GSSAPI_CRED_H

#include <gssapi/gssapi.h>

#include <kafka-backup/plugin.h>

#include "../common/sasl_gate.h"
#include "gssapi_error.h"

struct kb_gss_cred {
    gss_cred_id_t id;
    char ccache[64];     /* "MEMORY:..." to be destroyed; or empty */
    char principal[160]; /* whose they are */
    int64_t end_ms;      /* on the monotonic clock; INT64_MAX for never */
    int64_t renew_ms;    /* from then on another is to be got */
    unsigned users;
};

/* Where credentials come from.  The strings are owned. */
struct kb_gss_source {
    char *keytab;    /* or NULL: the ccache */
    char *principal; /* wanted, or what the keytab begins with; or NULL */
    char *ccache;    /* or NULL: the user's */
    char *krb5_config;
    char spn[96]; /* "kafka/<broker>", until a broker is known */
    struct kb_gate gate;
    unsigned serial;      /* within the gate only */
    int warned;           /* as well */
    pthread_mutex_t lock; /* for what follows, and the `users` */
    struct kb_gss_cred *now;
    int64_t pause_end_ms; /* until then an old `now` does; monotonic */
};

/*
 * Reads krb5.conf and keytab; no network.  `service` is for errors: "kafka".
 * [control]
 */
int32_t kb_gss_source_open(struct kb_gss_source *source, const char *service,
                           const struct kbp_config *config,
                           struct kbp_error *err);
void kb_gss_source_close(struct kb_gss_source *source);

/*
 * Credentials that are good now; give them back.  `spn` is whom they are for,
 * to be named in an error.  May wait.  [any]
 */
int32_t kb_gss_take(struct kb_gss_source *source, const struct kbp_host *host,
                    const char *spn, struct kb_gss_cred **cred,
                    struct kbp_error *err);
void kb_gss_give_back(struct kb_gss_source *source, struct kb_gss_cred *cred);

/*
 * The broker refused these, which are still to be given back: whoever comes
 * next gets new ones, unless there are already.  NULL is fine.  [any]
 */
void kb_gss_distrust(struct kb_gss_source *source,
                     const struct kb_gss_cred *cred);

/* The names in an error about this source. */
void kb_gss_source_words(const struct kb_gss_source *source,
                         struct kb_gss_words *words);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_services.h - the host as one instance or session of a plugin sees it.
 */
#ifndef KB_PLUGIN_HOST_SERVICES_H
#define KB_PLUGIN_HOST_SERVICES_H

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/stop.h"
#include "plugin/settings.h"

struct kb_host {
    struct kbp_host host; /* what the plugin gets */
    char *who;            /* in front of its log lines */
    struct kb_stop *stop; /* or NULL: never stopped from outside */
    const struct kb_settings *settings; /* whose secrets to hide, or NULL */
    int64_t deadline_ms; /* of kb_now_ms(), or KB_NEVER; by __atomic */
};

/*
 * `stop` (may be NULL) and `settings` (may be NULL) outlive it.  It must not
 * move once the plugin has it.
 */
int kb_host_init(struct kb_host *host, const char *who, struct kb_stop *stop,
                 const struct kb_settings *settings, struct kbp_error *err);
void kb_host_release(struct kb_host *host);

/* When the call that comes has to be done; KB_NEVER.  [any thread] */
void kb_host_deadline(struct kb_host *host, int64_t deadline_ms);

/* Whether it is told to stop, or late.  [any thread] */
bool kb_host_stopped(const struct kb_host *host);
bool kb_host_late(const struct kb_host *host);

/*
 * Put what a plugin's call returned in order: an unknown status is a bug in
 * the plugin, a missing message gets a text, secrets are hidden, and being
 * cancelled because of the deadline is KBP_ERR_TIMEOUT.  Returns the status.
 */
int kb_host_result(const struct kb_host *host, int32_t status,
                   struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* host_services.c - the host as one instance or session sees it. */
#include "plugin/host_services.h"

#include <stdlib.h>
#include <string.h>

#include <kafka-backup/draft/cancel_fd.h>
#include <kafka-backup/util.h>

#include "base/log.h"
#include "base/str.h"

#define LINE_BYTES_MAX 2048u

static void host_log(const struct kbp_host *host, int32_t level,
                     const char *message)
{
    const struct kb_host *self = host->data;
    char line[LINE_BYTES_MAX];

    if (level < KBP_LOG_ERROR)
        level = KBP_LOG_ERROR;
    if (!kb_log_on(level))
        return;
    (void)snprintf(line, sizeof line, "%s", message);
    kbp_one_line(line, sizeof line);
    if (self->settings)
        kb_settings_redact(self->settings, line);
    kb_log(level, "%s: %s", self->who, line);
}

bool kb_host_stopped(const struct kb_host *host)
{
    return host->stop && kb_stop_look(host->stop);
}

bool kb_host_late(const struct kb_host *host)
{
    int64_t deadline = __atomic_load_n(&host->deadline_ms, __ATOMIC_RELAXED);

    return deadline != KB_NEVER && kb_left_ms(deadline) == 0;
}

static int32_t host_cancelled(const struct kbp_host *host)
{
    const struct kb_host *self = host->data;

    return kb_host_stopped(self) || kb_host_late(self);
}

static int64_t host_time_left_ms(const struct kbp_host *host)
{
    const struct kb_host *self = host->data;
    int64_t deadline = __atomic_load_n(&self->deadline_ms, __ATOMIC_RELAXED);

    return deadline == KB_NEVER ? INT64_MAX : kb_left_ms(deadline);
}

static int32_t cancel_fd(const struct kbp_host *host)
{
    const struct kb_host *self = host->data;

    return self->stop ? self->stop->fd : -1;
}

static const void *host_get_service(const struct kbp_host *host, const char *id)
{
    static const struct kbp_cancel_fd cancel = {
        .struct_size = sizeof cancel,
        .fd = cancel_fd,
    };

    (void)host;
    return id && strcmp(id, KBP_CANCEL_FD_ID) == 0 ? &cancel : NULL;
}

int kb_host_init(struct kb_host *host, const char *who, struct kb_stop *stop,
                 const struct kb_settings *settings, struct kbp_error *err)
{
    memset(host, 0, sizeof *host);
    host->who = kb_strdup(who);
    if (!host->who)
        return kb_fail_nomem(err, "a plugin's host");
    host->stop = stop;
    host->settings = settings;
    host->deadline_ms = KB_NEVER;
    host->host = (struct kbp_host){
        .struct_size = sizeof host->host,
        .abi_major = KBP_ABI_MAJOR,
        .abi_minor = KBP_ABI_MINOR,
        .data = host,
        .name = "kafka-backup",
        .version = KB_VERSION,
        .log_level = kb_log_level(),
        .log = host_log,
        .cancelled = host_cancelled,
        .time_left_ms = host_time_left_ms,
        .get_service = host_get_service,
    };
    return KBP_OK;
}

void kb_host_release(struct kb_host *host)
{
    free(host->who);
    host->who = NULL;
}

void kb_host_deadline(struct kb_host *host, int64_t deadline_ms)
{
    __atomic_store_n(&host->deadline_ms, deadline_ms, __ATOMIC_RELAXED);
}

static bool known_status(int32_t status)
{
    return status == KBP_OK || kb_may_retry(status) ||
           (status <= KBP_ERR_MISUSE && status >= KBP_ERR_LOST);
}

int kb_host_result(const struct kb_host *host, int32_t status,
                   struct kbp_error *err)
{
    if (status == KBP_OK)
        return KBP_OK;
    err->message[sizeof err->message - 1] = '\0';
    err->hint[sizeof err->hint - 1] = '\0';
    if (!known_status(status)) {
        if (!*err->message)
            (void)kb_fail(err, KBP_ERR_INTERNAL,
                          "the plugin returned the unknown status %d",
                          (int)status);
        status = KBP_ERR_INTERNAL;
    }
    if (status == KBP_ERR_CANCELLED && !kb_host_stopped(host) &&
        kb_host_late(host)) {
        status = KBP_ERR_TIMEOUT;
        (void)kb_fail(err, status, "not done in time");
    }
    if (!*err->message)
        (void)snprintf(err->message, sizeof err->message, "%s",
                       kb_status_text(status));
    kbp_one_line(err->message, sizeof err->message);
    kbp_one_line(err->hint, sizeof err->hint);
    if (host->settings) {
        kb_settings_redact(host->settings, err->message);
        kb_settings_redact(host->settings, err->hint);
    }
    err->status = status;
    return status;
}

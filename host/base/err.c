/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - errors: a status, and a sentence that reads from outside to inside.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <kafka-backup/util.h>

void kb_err_clear(struct kbp_error *err)
{
    *err = (struct kbp_error)KB_ERR_INIT;
}

KB_PRINTF(2, 0)
static void set_message(struct kbp_error *err, const char *fmt, va_list ap)
{
    (void)vsnprintf(err->message, sizeof err->message, fmt, ap);
    kbp_one_line(err->message, sizeof err->message);
}

int kb_fail(struct kbp_error *err, int status, const char *fmt, ...)
{
    va_list ap;

    kb_err_clear(err);
    err->status = status;
    va_start(ap, fmt);
    set_message(err, fmt, ap);
    va_end(ap);
    return status;
}

static int errno_status(int errnum)
{
    switch (errnum) {
    case ENOENT:
        return KBP_ERR_NOT_FOUND;
    case EEXIST:
        return KBP_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return KBP_ERR_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return KBP_ERR_FULL;
    case ENOMEM:
        return KBP_ERR_NOMEM;
    case ETIMEDOUT:
        return KBP_ERR_TIMEOUT;
    case EINVAL:
    case ENOTDIR:
    case ENAMETOOLONG:
        return KBP_ERR_CONFIG;
    default:
        return KBP_ERR_IO;
    }
}

int kb_fail_errno(struct kbp_error *err, int errnum, const char *fmt, ...)
{
    char why[128];
    size_t len;
    va_list ap;

    kb_err_clear(err);
    err->status = errno_status(errnum);
    err->native = errnum;
    va_start(ap, fmt);
    set_message(err, fmt, ap);
    va_end(ap);
    len = strlen(err->message);
    (void)snprintf(err->message + len, sizeof err->message - len, ": %s",
                   strerror_r(errnum, why, sizeof why));
    return err->status;
}

int kb_fail_nomem(struct kbp_error *err, const char *what)
{
    return kb_fail(err, KBP_ERR_NOMEM, "out of memory for %s", what);
}

/* Whether `text` says "PREFIX: " at its start, or behind other prefixes. */
static bool says(const char *text, const char *prefix)
{
    const size_t len = strlen(prefix);
    const char *at = text;

    while (len > 0 && (at = strstr(at, prefix)) != NULL) {
        if (at[len] == ':' && (at == text || at[-1] == ' '))
            return true;
        at++;
    }
    return false;
}

int kb_err_wrap(struct kbp_error *err, const char *fmt, ...)
{
    char inner[sizeof err->message];
    size_t len;
    va_list ap;

    memcpy(inner, err->message, sizeof inner);
    va_start(ap, fmt);
    set_message(err, fmt, ap);
    va_end(ap);
    if (says(inner, err->message)) {
        memcpy(err->message, inner, sizeof inner);
        return err->status;
    }
    len = strlen(err->message);
    (void)snprintf(err->message + len, sizeof err->message - len, ": %s",
                   *inner ? inner : kb_status_text(err->status));
    kbp_one_line(err->message, sizeof err->message);
    return err->status;
}

void kb_err_hint(struct kbp_error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
    kbp_one_line(err->hint, sizeof err->hint);
}

const char *kb_status_text(int status)
{
    switch (status) {
#define XX(name, value, text) \
    case value:               \
        return text;
        KBP_STATUS_MAP(XX)
#undef XX
    default:
        return kb_may_retry(status) ? "failed, may be tried again"
                                    : "a bug in the plugin";
    }
}

bool kb_may_retry(int status)
{
    return kbp_may_retry(status) != 0;
}

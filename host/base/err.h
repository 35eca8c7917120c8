/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.h - errors: a status, and a sentence that reads from outside to inside.
 *
 * Functions which can fail return KBP_OK or a KBP_ERR_* (one list for host and
 * plugins, <kafka-backup/plugin.h>), take `struct kbp_error *err` last, and
 * leave their out-parameters alone on failure.  On the way up each level may
 * put in front what it was doing:
 *
 *     return kb_err_wrap(err, "segment %s", key);
 *
 * so that a message reads "restore: orders/3: segment 42.kbs: no such object".
 */
#ifndef KB_BASE_ERR_H
#define KB_BASE_ERR_H

#include <stdbool.h>

#include <kafka-backup/plugin.h>

#define KB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* The initial value of an error. */
#define KB_ERR_INIT                               \
    {                                             \
        sizeof(struct kbp_error), 0, 0, 0, "", "" \
    }

/* Forget what it says. */
void kb_err_clear(struct kbp_error *err);

/* Fill in `err` (never NULL) and return `status`. */
KB_PRINTF(3, 4)
int kb_fail(struct kbp_error *err, int status, const char *fmt, ...);

/* The same from an errno, whose text is put behind; picks the status. */
KB_PRINTF(3, 4)
int kb_fail_errno(struct kbp_error *err, int errnum, const char *fmt, ...);

/* "out of memory", in words that say for what. */
int kb_fail_nomem(struct kbp_error *err, const char *what);

/*
 * Put "<text>: " before the message, unless it is in there already; returns
 * the status it holds.
 */
KB_PRINTF(2, 3)
int kb_err_wrap(struct kbp_error *err, const char *fmt, ...);

/* What the user can do about it; printed on a line of its own. */
KB_PRINTF(2, 3)
void kb_err_hint(struct kbp_error *err, const char *fmt, ...);

/* "permission denied" for KBP_ERR_DENIED; never NULL. */
const char *kb_status_text(int status);

/* Whether the same call may be made again after this status. */
bool kb_may_retry(int status);

#endif

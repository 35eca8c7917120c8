/* SPDX-License-Identifier: Apache-2.0 */
/* acl.h - which ACL is missing when a broker says "not authorized". */
#ifndef KB_KAFKA_ACL_H
#define KB_KAFKA_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum kb_acl_kind { KB_ACL_TOPIC, KB_ACL_GROUP, KB_ACL_CLUSTER };

/* Holds the whole of kb_acl_text() for every name of a topic. */
#define KB_ACL_TEXT KBP_MESSAGE_MAX

/* Whether the broker's `code` says that an ACL is missing. */
bool kb_acl_denied(int16_t code);

/*
 * "the user needs Read on topic orders: kafka-acls --add ... --topic orders"
 * into `text`.  `name` is quoted for a shell where that is needed, and not
 * used for the cluster.  `operation` is spelled as kafka-acls spells it.
 */
void kb_acl_text(char *text, size_t size, enum kb_acl_kind kind,
                 const char *name, const char *operation);

/*
 * Make that the hint of `err` if `code` is one of missing ACLs; else nothing
 * changes.
 */
void kb_acl_hint(struct kbp_error *err, int16_t code, enum kb_acl_kind kind,
                 const char *name, const char *operation);

/*
 * The same for warnings, which have no hint: "; " and the text into `text`
 * (of KB_ACL_TEXT bytes), or "" for any other code.  Returns `text`.
 */
const char *kb_acl_advice(char *text, int16_t code, enum kb_acl_kind kind,
                          const char *name, const char *operation);

#endif

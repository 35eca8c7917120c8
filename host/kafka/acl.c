/* SPDX-License-Identifier: Apache-2.0 */
/* acl.c - which ACL is missing when a broker says "not authorized". */
#include "kafka/acl.h"

#include <stdio.h>
#include <string.h>

#include "kafka/error.h"

/* Names which are longer stand once, so that the command stays whole. */
#define TWICE_MAX 120

bool kb_acl_denied(int16_t code)
{
    return code == KB_KAFKA_TOPIC_AUTHORIZATION_FAILED ||
           code == KB_KAFKA_GROUP_AUTHORIZATION_FAILED ||
           code == KB_KAFKA_CLUSTER_AUTHORIZATION_FAILED ||
           code == KB_KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static bool is_plain(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return *name && name[strspn(name, plain)] == '\0';
}

/* As one word of a shell. */
static void quote(char *out, size_t size, const char *name)
{
    size_t n = 0;

    if (is_plain(name)) {
        (void)snprintf(out, size, "%s", name);
        return;
    }
    out[n++] = '\'';
    for (; *name && n + 6 < size; name++)
        if (*name == '\'') {
            memcpy(out + n, "'\\''", 4);
            n += 4;
        } else {
            out[n++] = *name;
        }
    out[n++] = '\'';
    out[n] = '\0';
}

void kb_acl_text(char *text, size_t size, enum kb_acl_kind kind,
                 const char *name, const char *operation)
{
    static const char *const kinds[] = {"topic", "group", "cluster"};
    char word[320] = "";
    const char *told = "";

    if (kind != KB_ACL_CLUSTER) {
        quote(word, sizeof word, name);
        told = strlen(name) <= TWICE_MAX ? name : "";
    }
    (void)snprintf(text, size,
                   "the user needs %s on %s%s%s%s: kafka-acls "
                   "--bootstrap-server HOST:PORT --add --allow-principal "
                   "User:NAME --operation %s --%s%s%s",
                   operation, *told ? "" : "the ", kinds[kind],
                   *told ? " " : "", told, operation, kinds[kind],
                   *word ? " " : "", word);
}

void kb_acl_hint(struct kbp_error *err, int16_t code, enum kb_acl_kind kind,
                 const char *name, const char *operation)
{
    char text[KB_ACL_TEXT];

    if (!kb_acl_denied(code))
        return;
    kb_acl_text(text, sizeof text, kind, name, operation);
    kb_err_hint(err, "%s", text);
}

const char *kb_acl_advice(char *text, int16_t code, enum kb_acl_kind kind,
                          const char *name, const char *operation)
{
    text[0] = '\0';
    if (!kb_acl_denied(code))
        return text;
    memcpy(text, "; ", 2);
    kb_acl_text(text + 2, KB_ACL_TEXT - 2, kind, name, operation);
    return text;
}

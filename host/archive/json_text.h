/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text.h - write JSON without building a tree: a manifest can be large.
 */
#ifndef KB_ARCHIVE_JSON_TEXT_H
#define KB_ARCHIVE_JSON_TEXT_H

#include <inttypes.h>

#include "base/buf.h"

/* "text" with what must be escaped escaped; null for NULL. UTF-8. */
void kb_json_text(struct kb_buf *out, const char *text);

#endif

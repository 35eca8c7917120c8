/* SPDX-License-Identifier: Apache-2.0 */
/* json_text.c - a string as JSON. */
#include "archive/json_text.h"

void kb_json_text(struct kb_buf *out, const char *text)
{
    if (!text) {
        kb_buf_add_str(out, "null");
        return;
    }
    kb_buf_add(out, "\"", 1);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            kb_buf_add(out, "\\", 1);
            kb_buf_add(out, text, 1);
        } else if (c < 0x20 || c == 0x7f) {
            kb_buf_printf(out, "\\u%04x", c);
        } else {
            kb_buf_add(out, text, 1);
        }
    }
    kb_buf_add(out, "\"", 1);
}

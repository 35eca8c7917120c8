/* SPDX-License-Identifier: Apache-2.0 */
/* sasl_base64.h - base64, strict: what isn't canonical is refused. */
#ifndef KB_SASL_BASE64_H
#define KB_SASL_BASE64_H

#include <stddef.h>
#include <sys/types.h>

#include "sasl_text.h"

enum kb_base64 {
    KB_BASE64_STD, /* RFC 4648, 4: + / and padding, which must be there */
    KB_BASE64_URL  /* RFC 4648, 5: - _ and no padding, none accepted */
};

void kb_base64_encode(struct kb_text *text, enum kb_base64 kind,
                      const void *bytes, size_t len);

/* The number of bytes put into `to`, or -1: not base64, or no room. */
ssize_t kb_base64_decode(void *to, size_t size, enum kb_base64 kind,
                         const char *from, size_t len);

#endif

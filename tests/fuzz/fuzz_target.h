/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_target.h - what every fuzz target is. */
#ifndef KB_FUZZ_TARGET_H
#define KB_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Take the bytes as foreign ones; abort() where what comes out is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#endif

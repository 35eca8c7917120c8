/* SPDX-License-Identifier: Apache-2.0 */
/* gone.c - the library that codec_missinglibrary.so doesn't find. */
__attribute__((visibility("default"))) int museum_gone(void);

int museum_gone(void)
{
    return 1;
}

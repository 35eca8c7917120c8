/* SPDX-License-Identifier: Apache-2.0 */
/* codec_borrowed.c - no plugin, but linked to a library that is one. */
int museum_lent(void);
__attribute__((visibility("default"))) int museum_borrow(void);

int museum_borrow(void)
{
    return museum_lent();
}

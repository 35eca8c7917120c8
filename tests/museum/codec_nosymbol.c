/* SPDX-License-Identifier: Apache-2.0 */
/* codec_nosymbol.c - a library which is no plugin. */
extern int museum_nothing;
int museum_nothing = 1;

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest_table.h - read the tables inside the manifest's strings: rows end
 * with ';', fields with ','.  `*at` moves behind what was read; false if it
 * can't be read.
 */
#ifndef KB_ARCHIVE_MANIFEST_TABLE_H
#define KB_ARCHIVE_MANIFEST_TABLE_H

#include "archive/manifest.h"

bool kb_table_extent(const char **at, struct kb_extent *extent);
bool kb_table_range(const char **at, struct kb_range *range);

/* An open one has no end. */
bool kb_table_txn(const char **at, bool open, struct kb_txn *txn);

/* What there is of a last batch besides offset, CRC and epoch, all of it. */
bool kb_table_kept(const char *at, struct kb_last_batch *last);

/* Behind a row's last field: go on to the next row, if there is one. */
bool kb_table_end_row(const char **at);

/* A segment is a row on its own. */
bool kb_table_segment(const char *at, struct kb_segment_info *segment);

#endif

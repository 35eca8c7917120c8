/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - fill structs from a YAML document by the tables of keys.
 *
 * Nothing stops at the first mistake: it is noted, and reading goes on.
 */
#ifndef KB_CONFIG_READER_H
#define KB_CONFIG_READER_H

#include "base/buf.h"
#include "config/key.h"

struct kb_reader {
    yaml_document_t *document;
    struct kb_notes *notes;
    struct kb_buf path; /* "backup.compression" of what is being read */
};

/* Read a mapping into the struct at `base`, whose defaults are set. */
void kb_read_section(struct kb_reader *reader, const struct kb_section *section,
                     const yaml_node_t *node, void *base);

/* "<path>: <text>" about a node. */
KB_PRINTF(3, 4)
void kb_complain(struct kb_reader *reader, const yaml_node_t *node,
                 const char *fmt, ...);
KB_PRINTF(3, 4)
void kb_remark(struct kb_reader *reader, const yaml_node_t *node,
               const char *fmt, ...);

/* Add to what there is to say; line 0 is the file. */
KB_PRINTF(4, 5)
void kb_note(struct kb_notes *notes, bool is_error, unsigned line,
             const char *fmt, ...);

unsigned kb_node_line(const yaml_node_t *node);

/* `~`, `null` or nothing, and not a quoted "". */
bool kb_node_is_null(const yaml_node_t *node);

/*
 * A scalar's text with its variables expanded, to be freed by
 * kb_free_secret_text(); NULL after a complaint.
 */
char *kb_node_text(struct kb_reader *reader, const yaml_node_t *node);

/* What may be quoted in an error: the text as it is in the file. */
const char *kb_node_raw(const yaml_node_t *node);

/*
 * Call `each` for all pairs of a mapping; the path has the key in it
 * meanwhile.  Complains about what isn't a mapping, about keys that aren't
 * plain, and those that are there twice.
 */
void kb_each_pair(struct kb_reader *reader, const yaml_node_t *node,
                  void (*each)(struct kb_reader *reader, const yaml_node_t *key,
                               const yaml_node_t *value, void *data),
                  void *data);

/*
 * Expand ${NAME} and ${NAME:-default} in `text`; `$${` stands for `${`. NULL
 * after a failure, with what is wrong in err.
 */
char *kb_expand(const char *text, struct kbp_error *err);

/* Arrays which grow; false when out of memory, which is noted. */
bool kb_notes_grow(struct kb_notes *notes, void **items, size_t count,
                   size_t size);

#endif

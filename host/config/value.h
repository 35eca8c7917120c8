/* SPDX-License-Identifier: Apache-2.0 */
/* value.h - one value of each type: read, set by default, freed. */
#ifndef KB_CONFIG_VALUE_H
#define KB_CONFIG_VALUE_H

#include "config/reader.h"

/* Read the value of a key into the struct of its section. */
void kb_read_value(struct kb_reader *reader, const struct kb_key *key,
                   const yaml_node_t *name, const yaml_node_t *value,
                   void *base);

/* Append a scalar as a setting. */
void kb_read_setting(struct kb_reader *reader, const char *name,
                     const yaml_node_t *node, struct kb_raw_settings *settings);

/*
 * Set the value of a scalar type from its text; false, with what was expected
 * in `why` (256 bytes), if it isn't one.
 */
bool kb_value_set(const struct kb_key *key, const char *text, void *at,
                  char *why);

#endif

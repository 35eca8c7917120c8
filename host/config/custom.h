/* SPDX-License-Identifier: Apache-2.0 */
/* custom.h - the values with a form of their own, for the tables of keys. */
#ifndef KB_CONFIG_CUSTOM_H
#define KB_CONFIG_CUSTOM_H

#include "config/reader.h"

#define KB_CUSTOM_VALUE(name)                                              \
    void kb_read_##name(struct kb_reader *reader, const yaml_node_t *node, \
                        void *at);                                         \
    void kb_drop_##name(void *at)

KB_CUSTOM_VALUE(servers);        /* struct kb_strings */
KB_CUSTOM_VALUE(mechanism);      /* char * */
KB_CUSTOM_VALUE(verify_host);    /* bool; its absence means "https" */
KB_CUSTOM_VALUE(overrides);      /* struct kb_override_settings */
KB_CUSTOM_VALUE(start_offset);   /* struct kb_start_setting */
KB_CUSTOM_VALUE(partition_map);  /* struct kb_pairs */
KB_CUSTOM_VALUE(retention);      /* struct kb_retention_setting */
KB_CUSTOM_VALUE(repartitioning); /* struct kb_repartition_settings */

#endif

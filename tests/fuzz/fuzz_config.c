/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - a configuration file, whatever is in it. */
#include "fuzz_target.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

#define SECRET "secret: ["

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kb_config config;
    struct kb_notes notes = {0};
    struct kbp_error err = KB_ERR_INIT;
    size_t errors = 0;
    size_t i;
    int status;

    /* A fuzzer finds out what it is, and writes it. */
    bool named = memmem(data, size, SECRET, strlen(SECRET)) != NULL;

    (void)setenv("KAFKA_PASSWORD", SECRET, 1);
    status = kb_config_parse((const char *)data, size, "fuzz", &config, &notes,
                             &err);
    for (i = 0; i < notes.count; i++) {
        errors += notes.items[i].is_error;
        if (!notes.items[i].text ||
            (!named && strstr(notes.items[i].text, SECRET)))
            abort();
    }
    /* It fails if and only if something was complained about. */
    if ((status == KBP_OK) != (errors == 0) || errors != notes.errors)
        abort();
    if (status == KBP_OK &&
        (!config.backup_id || !*config.backup_id || !config.storage.backend))
        abort();
    kb_config_release(&config);
    kb_notes_release(&notes);
    return 0;
}

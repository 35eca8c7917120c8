/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_sasl_plain.c - what a broker answers to PLAIN. */
#include "fuzz_host.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct kbp_setting settings[] = {
        {"sasl_username", "user", 4}, {"sasl_password", "pencil", 6}};
    static const struct kbp_config config = {.struct_size = sizeof config,
                                             .count = 2,
                                             .items = settings,
                                             .item_size = sizeof settings[0]};
    const struct kbp_sasl_type *type = kafka_backup_plugin.sasl[0];
    struct kbp_error err = {.struct_size = sizeof err};
    struct kbp_sasl *sasl;

    if (type->open(&fuzz_host, &config, &sasl, &err) != KBP_OK)
        abort();
    /* PLAIN takes nothing but an empty answer for a success. */
    if (fuzz_handshake(type, sasl, data, size, 0) == KBP_SASL_DONE && size &&
        data[0] != 0)
        abort();
    type->close(sasl);
    return 0;
}

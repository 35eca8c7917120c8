/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_sasl_scram.c - a broker's messages of SCRAM, with our nonce known.
 *
 * The first byte chooses the hash; then server-first, a NUL, server-final.  A
 * success would be a forged signature, so there is none but the RFC's own.
 */
#include "../../sasl/scram/scram.h"
#include "fuzz_host.h"
#include "fuzz_target.h"

static const char rfc_first[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kbp_error err = {.struct_size = sizeof err};
    struct kb_scram scram;
    struct kb_text out;
    const uint8_t *end;
    size_t first;
    int32_t status;

    if (!size)
        return 0;
    kb_scram_init(&scram, data[0] & 1 ? EVP_sha512() : EVP_sha256(),
                  "rOprNGfwEbeRWgbNEkqO");
    kb_text_init(&out, 65536);
    data++;
    size--;
    if (kb_scram_first(&scram, "user", 0, &out, &err) != KBP_OK)
        abort();
    kb_text_clear(&out);
    end = size ? memchr(data, 0, size) : NULL;
    first = end ? (size_t)(end - data) : size;
    status = kb_scram_final(&scram, "pencil", data, first, &out, &err);
    if (status == KBP_OK && end) {
        status = kb_scram_verify(&scram, end + 1, size - first - 1, &err);
        /* Another message leads to another signature, which nobody knows. */
        if (status == KBP_OK && (first != sizeof rfc_first - 1 ||
                                 memcmp(data, rfc_first, first) != 0))
            abort();
    }
    if (status != KBP_OK)
        fuzz_check_error(&err);
    kb_text_release(&out);
    kb_scram_release(&scram);
    return 0;
}

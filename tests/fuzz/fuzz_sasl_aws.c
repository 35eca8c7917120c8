/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_sasl_aws.c - MSK's answer, and what the sources of credentials say.
 *
 * The first byte chooses the parser.
 */
#include "../../sasl/aws/aws_profile.h"
#include "../../sasl/aws_msk_iam/msk_message.h"
#include "fuzz_host.h"
#include "fuzz_target.h"

static void keys(const uint8_t *data, size_t size, int xml)
{
    struct kbp_error err = {.struct_size = sizeof err};
    struct kb_aws_keys found = {0};
    int32_t status =
        xml ? kb_aws_keys_xml(&found, (const char *)data, size, &err)
            : kb_aws_keys_json(&found, data, size, &err);

    if (status != KBP_OK)
        fuzz_check_error(&err);
    else if (!found.access_key || !found.secret_key)
        abort();
    if (status != KBP_OK && found.access_key)
        abort();
    kb_aws_keys_release(&found);
}

/* The input is the config and, after a NUL, the credentials file. */
static void profile(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"default", "backup", "two words"};
    static const char *const settings[] = {"region", "role_arn", "a"};
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t first = end ? (size_t)(end - data) : size;
    struct kb_aws_files files;
    struct kb_text value;
    size_t i;

    kb_text_init(&files.config, 1 << 20);
    kb_text_init(&files.credentials, 1 << 20);
    kb_text_init(&value, 64);
    kb_text_add(&files.config, data, first);
    if (end)
        kb_text_add(&files.credentials, end + 1, size - first - 1);
    for (i = 0; i < 3; i++) {
        (void)kb_aws_profile_exists(&files, names[i]);
        if (kb_aws_profile_get(&files, names[i], settings[i], &value) &&
            (!value.len || value.len > 64 || strpbrk(value.bytes, "\n")))
            abort();
    }
    kb_text_release(&value);
    kb_aws_files_release(&files);
}

static void as_text(const uint8_t *data, size_t size)
{
    struct kb_text text, region;

    kb_text_init(&text, 65536);
    kb_text_init(&region, 63);
    kb_text_add(&text, data, size);
    if (kb_aws_time(kb_text_str(&text)) < -1)
        abort();
    if (kb_msk_region(kb_text_str(&text), &region) &&
        (!region.len || strpbrk(region.bytes, "./ ")))
        abort();
    kb_text_release(&text);
    kb_text_release(&region);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kbp_error err = {.struct_size = sizeof err};
    char id[16];

    if (!size)
        return 0;
    switch (data[0] % 5) {
    case 0:
        if (kb_msk_answer(data + 1, size - 1, id, sizeof id, &err) != KBP_OK)
            fuzz_check_error(&err);
        else if (size < 10)
            abort();
        break;
    case 1:
        keys(data + 1, size - 1, 0);
        break;
    case 2:
        keys(data + 1, size - 1, 1);
        break;
    case 3:
        profile(data + 1, size - 1);
        break;
    default:
        as_text(data + 1, size - 1);
        break;
    }
    return 0;
}

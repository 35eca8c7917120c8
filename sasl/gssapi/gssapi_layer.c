/* SPDX-License-Identifier: Apache-2.0 */
/* gssapi_layer.c - the security layer that RFC 4752 negotiates: none. */
#include "gssapi_layer.h"

#include <kafka-backup/util.h>

enum { LAYER_NONE = 1, LAYER_INTEGRITY = 2, LAYER_CONFIDENTIALITY = 4 };

const unsigned char kb_gssapi_layer_choice[KB_GSSAPI_LAYER_LEN] = {LAYER_NONE,
                                                                   0, 0, 0};

int32_t kb_gssapi_layer_check(const void *proposal, size_t len,
                              struct kbp_error *err)
{
    const unsigned char *layers = proposal;

    if (len != KB_GSSAPI_LAYER_LEN)
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker proposes security layers in %zu bytes "
                        "instead of 4",
                        len);
    if (!(layers[0] & LAYER_NONE)) {
        kbp_hint(err, "set sasl.qop to auth at the broker; for encryption use "
                      "SASL_SSL");
        return kbp_fail(err, KBP_ERR_PROTOCOL, 0,
                        "the broker demands a security layer of Kerberos "
                        "(%s%s), which Kafka's protocol doesn't have",
                        layers[0] & LAYER_INTEGRITY ? "integrity " : "",
                        layers[0] & LAYER_CONFIDENTIALITY ? "confidentiality"
                                                          : "");
    }
    return KBP_OK;
}

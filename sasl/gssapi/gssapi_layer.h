/* SPDX-License-Identifier: Apache-2.0 */
/* gssapi_layer.h - the security layer that RFC 4752 negotiates: none. */
#ifndef KB_GSSAPI_LAYER_H
#define KB_GSSAPI_LAYER_H

#include <stddef.h>

#include <kafka-backup/plugin.h>

#define KB_GSSAPI_LAYER_LEN 4u

/*
 * Take the broker's proposal, unwrapped: a set of layers and the largest
 * message.  Kafka's traffic goes on as it was, so "none" has to be among them.
 */
int32_t kb_gssapi_layer_check(const void *proposal, size_t len,
                              struct kbp_error *err);

/* The choice to wrap and send: no layer, no size, no authorization id. */
extern const unsigned char kb_gssapi_layer_choice[KB_GSSAPI_LAYER_LEN];

#endif

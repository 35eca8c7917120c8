/* SPDX-License-Identifier: Apache-2.0 */
/* msk_message.h - what AWS_MSK_IAM sends and takes. */
#ifndef KB_MSK_MESSAGE_H
#define KB_MSK_MESSAGE_H

#include <time.h>

#include "../aws/aws_keys.h"

#define KB_MSK_EXPIRES_S 900u

/*
 * Append the region in a broker's name, "b-1.x.kafka.us-east-1.amazonaws.com";
 * 0 if it isn't a name that MSK gives.
 */
int kb_msk_region(const char *host, struct kb_text *region);

/* Append the JSON of AWS_MSK_IAM, signed for this broker. */
int32_t kb_msk_payload(const struct kb_aws_keys *keys, const char *host,
                       const char *region, const char *agent, time_t when,
                       struct kb_text *out, struct kbp_error *err);

/* Append the token of the OAUTHBEARER flavour, signed for the region. */
int32_t kb_msk_token(const struct kb_aws_keys *keys, const char *region,
                     const char *agent, time_t when, struct kb_text *out,
                     struct kbp_error *err);

/*
 * Check the broker's answer to the JSON, and put its request id into `id`; it
 * has to be JSON of the version that was sent.
 */
int32_t kb_msk_answer(const void *in, size_t len, char *id, size_t id_size,
                      struct kbp_error *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sasl_gate.h - one at a time fetches credentials; the others wait for it.
 *
 * Sixty-four connections that begin at once shall ask the KDC, or the token
 * endpoint, once.  And if it is down they shall all learn so from the one
 * attempt, not each by an attempt of its own, one after the other.  When the
 * one that was asked said for how long it wants to be left alone (Retry-After),
 * it is: until then who comes gets the same failure, with what is left of it.
 */
#ifndef KB_SASL_GATE_H
#define KB_SASL_GATE_H

#include <pthread.h>

#include <kafka-backup/plugin.h>

struct kb_gate {
    pthread_mutex_t lock;
    pthread_cond_t left;
    int busy;
    uint64_t turn; /* of who is within, or was last */
    uint64_t failed_turn;
    int64_t pause_end_ms; /* monotonic: nobody is let in before; or 0 */
    struct kbp_error why;
};

/* 0, or an errno. */
int kb_gate_init(struct kb_gate *gate);
void kb_gate_destroy(struct kb_gate *gate);

/*
 * Go in.  KBP_OK: alone within, look whether there is still something to do,
 * and leave.  KBP_ERR_CANCELLED, or the failure of the one waited for or of
 * the last one, if that has to be waited out: outside.  [any]
 */
int32_t kb_gate_enter(struct kb_gate *gate, const struct kbp_host *host,
                      struct kbp_error *err);

/* Go out, with the result of what was done. */
void kb_gate_leave(struct kb_gate *gate, int32_t status,
                   const struct kbp_error *err);

/*
 * When to try again (monotonic) after renewing failed with `err`, while what
 * is kept may be used until `last_ms`: after a pause, in which nobody waits
 * for a source that is down, and not before the source wants.
 */
int64_t kb_gate_again_ms(const struct kbp_error *err, int64_t last_ms);

#endif

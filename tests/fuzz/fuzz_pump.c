/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pump.c - bytes from both sides of a pump: its greeting, its copying of
 * frames, and logins between two of them.
 *
 * The input: a byte of flags, a byte that says how many bytes a write takes,
 * then a script: an operation's kind (2 bits) and number (6 bits), and the
 * bytes that it brings.
 *
 * Whatever comes, what either side gets is what the other sent, whole frames
 * and in order, but for the login's: those stand between two requests, and
 * their answers are kept from the client.
 */
#include "fuzz_target.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "kafka/auth.h"
#include "kafka/pump_internal.h"
#include "kafka/sasl_exchange.h"

#define SECRET "canary-secret"
#define LOGINS_MAX 64
#define IDLE_MAX                                                 \
    16 /* reads that bring nothing: nobody wants what comes next \
        */

enum flag { NO_BROKER = 1, RELAY = 2, NO_LOGIN = 4 };
enum kind { FROM_APP, FROM_BROKER, NOTHING, LOGIN_DUE };

/* What one side sent, and what it got. */
struct side {
    struct kb_stream base;
    enum kind kind;
    struct kb_buf sent;
    struct kb_buf got;
};

/* A login's request, and where in the bytes to the broker it was put. */
struct asked {
    size_t at;
    size_t len;
};

static struct {
    const uint8_t *input;
    size_t input_len;
    const uint8_t *script; /* what is left of it */
    size_t left;
    enum kind kind; /* of the operation that goes on */
    size_t bytes;   /* of it that are left */
    unsigned nothing;
    unsigned idle;
    size_t room; /* bytes a write takes; 0: all */
    unsigned writes;
    unsigned due; /* logins that are */
    int fd;
    struct side app;
    struct side broker;
    struct asked asked[LOGINS_MAX];
    size_t asked_count;
    struct kb_buf answers[LOGINS_MAX];
    size_t answer_count;
    bool copying;
} run;

static const struct kb_security_ops *real;
static struct kb_security_ops ops;

/* Look for something to do in the script; false: it is over. */
static bool next_operation(void)
{
    while (run.bytes == 0) {
        uint8_t head;

        if (run.left == 0 || run.idle > IDLE_MAX)
            return false;
        head = *run.script++;
        run.left--;
        run.kind = head >> 6;
        if (run.kind == NOTHING)
            run.nothing = head & 3u;
        else if (run.kind == LOGIN_DUE)
            run.due += head & 3u;
        else
            run.bytes = (head & 63u) + 1;
    }
    return true;
}

static int side_read(struct kb_stream *stream, void *buf, size_t len,
                     size_t *got, struct kbp_error *err)
{
    struct side *side = (struct side *)stream;

    (void)err;
    if (run.nothing > 0) {
        run.nothing--;
        return KB_STREAM_WANT_READ;
    }
    if (!next_operation() || run.idle > IDLE_MAX)
        return KB_STREAM_END;
    if (run.kind != side->kind) {
        run.idle++;
        return KB_STREAM_WANT_READ;
    }
    run.idle = 0;
    if (len > run.bytes)
        len = run.bytes;
    if (len > run.left) {
        run.bytes = 0;
        len = run.left;
    }
    if (len == 0)
        return KB_STREAM_END;
    memcpy(buf, run.script, len);
    kb_buf_add(&side->sent, run.script, len);
    run.script += len;
    run.left -= len;
    run.bytes -= run.bytes ? len : 0;
    *got = len;
    return KBP_OK;
}

static int side_write(struct kb_stream *stream, const struct iovec *parts,
                      int count, size_t *put, struct kbp_error *err)
{
    struct side *side = (struct side *)stream;
    size_t len = parts->iov_len;

    (void)err;
    if (count < 1 || len == 0)
        abort();
    if (run.room > 0 && ++run.writes % 3 == 0)
        return KB_STREAM_WANT_WRITE;
    if (run.room > 0 && len > run.room)
        len = run.room;
    kb_buf_add(&side->got, parts->iov_base, len);
    *put = len;
    return KBP_OK;
}

static void side_close(struct kb_stream *stream)
{
    (void)stream;
}

static const struct kb_stream_ops side_ops = {
    .read = side_read, .write = side_write, .close = side_close};

static void side_init(struct side *side, enum kind kind)
{
    side->base.ops = &side_ops;
    side->base.fd = run.fd;
    side->kind = kind;
}

/* The real login, watched. */
static int login_step(struct kb_login *login, const uint8_t *in, size_t in_len,
                      struct kb_buf *out, struct kbp_error *err)
{
    size_t before = out->len;
    int status;

    if (run.copying && !in && run.due > 0)
        run.due--;
    if (run.copying && in) {
        const struct asked *last = &run.asked[run.asked_count - 1];

        /* An answer to what is half sent is none. */
        if (run.asked_count == 0 || run.broker.got.len < last->at + last->len)
            abort();
        if (run.answer_count == LOGINS_MAX)
            return kb_fail(err, KBP_ERR_LIMIT, "enough");
        kb_buf_add(&run.answers[run.answer_count++], in, in_len);
    }
    status = real->login_step(login, in, in_len, out, err);
    if (run.copying && status == KBP_OK && out->len > before) {
        if (run.asked_count == LOGINS_MAX)
            return kb_fail(err, KBP_ERR_LIMIT, "enough");
        run.asked[run.asked_count++] =
            (struct asked){run.broker.got.len, out->len - before};
    }
    return status;
}

static int64_t login_renew_at_ms(const struct kb_login *login)
{
    (void)login;
    return run.copying && run.due > 0 ? 0 : KB_NEVER;
}

static struct kb_security *security(void)
{
    static struct kb_registry registry;
    static struct kb_security *opened;
    static const struct kb_kv settings[] = {{"sasl_username", "alice"},
                                            {"sasl_password", SECRET}};
    const struct kb_auth_settings auth = {
        .sasl = true,
        .over_tls = true,
        .mechanism = "PLAIN",
        .sasl_values = settings,
        .sasl_value_count = 2,
    };
    const char *dir = KB_TEST_PLUGIN_DIR;
    struct kbp_error err = KB_ERR_INIT;

    if (opened)
        return opened;
    /* What it says of each failed login is of no interest here. */
    kb_log_init(KB_LOG_TEXT, KBP_LOG_ERROR - 1);
    run.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (run.fd < 0 || kb_registry_init(&registry, &dir, 1, &err) != KBP_OK ||
        kb_auth_open(&auth, &registry, NULL, &opened, &err) != KBP_OK)
        abort();
    real = opened->ops;
    ops = *real;
    ops.login_step = login_step;
    ops.login_renew_at_ms = login_renew_at_ms;
    opened->ops = &ops;
    return opened;
}

/* Whether the secret is in there, and isn't what the broker said itself. */
static bool leaks(const void *bytes, size_t len)
{
    return len > 0 && memmem(bytes, len, SECRET, strlen(SECRET)) &&
           !memmem(run.input, run.input_len, SECRET, strlen(SECRET));
}

static void check_error(const struct kbp_error *err)
{
    if (!*err->message || leaks(err->message, strlen(err->message)))
        abort();
}

/* Where the frame at `at` ends; 0 where it isn't whole. */
static size_t frame_end(const struct kb_buf *bytes, size_t at)
{
    size_t len;

    if (bytes->len - at < 4)
        return 0;
    len = kb_load_be32(bytes->data + at);
    return len <= bytes->len - at - 4 ? at + 4 + len : 0;
}

/* Nothing of the login reaches librdkafka, but for how it went. */
static void check_greeting(void)
{
    if (leaks(run.app.got.data, run.app.got.len))
        abort();
}

/* Whether `at` of what the client sent is between two frames. */
static bool between_frames(const struct kb_buf *sent, size_t from, size_t at)
{
    while (from != 0 && from < at)
        from = frame_end(sent, from);
    return from == at;
}

/* Requests: as they were sent, from `sent_from`, and logins between them. */
static void check_requests(size_t sent_from, size_t got_from)
{
    const struct kb_buf *sent = &run.app.sent;
    const struct kb_buf *got = &run.broker.got;
    size_t passed = sent_from;
    size_t at = got_from;
    size_t i = 0;

    while (at < got->len) {
        size_t len = got->len - at;

        if (i < run.asked_count && run.asked[i].at == at) {
            if (passed > 0 && !between_frames(sent, sent_from, passed))
                abort();
            at += run.asked[i].len < len ? run.asked[i].len : len;
            i++;
            continue;
        }
        if (i < run.asked_count && run.asked[i].at - at < len)
            len = run.asked[i].at - at;
        if (len > sent->len - passed ||
            memcmp(got->data + at, sent->data + passed, len) != 0)
            abort();
        passed += len;
        at += len;
    }
}

static bool same(const struct kb_buf *all, size_t at, size_t len,
                 const struct kb_buf *part)
{
    return part->len == len &&
           (len == 0 || memcmp(all->data + at, part->data, len) == 0);
}

/*
 * Answers: each frame went to the client or to the login.  Which one, where
 * both fit, is not known: all ways are followed.
 */
static void check_answers(size_t sent_from, size_t got_from)
{
    const struct kb_buf *sent = &run.broker.sent;
    const struct kb_buf *got = &run.app.got;
    bool may[LOGINS_MAX + 1] = {true}; /* so many went to the login so far */
    size_t taken[LOGINS_MAX + 1] = {0};
    size_t at = sent_from;
    size_t i;

    for (i = 0; i < run.answer_count; i++)
        taken[i + 1] = taken[i] + run.answers[i].len + 4;
    for (;;) {
        size_t end = frame_end(sent, at);
        bool next[LOGINS_MAX + 1] = {false};
        bool any = false;

        for (i = 0; i <= run.answer_count; i++) {
            size_t to = got_from + (at - sent_from) - taken[i];
            size_t here = got->len > to ? got->len - to : 0;
            size_t len = (end ? end : sent->len) - at;

            if (!may[i])
                continue;
            /*
             * The client got all of it, or what there is of it, or what was
             * passed on when a login failed.
             */
            if ((i == run.answer_count || here < len) && here <= len &&
                (here == 0 ||
                 memcmp(got->data + to, sent->data + at, here) == 0))
                return;
            if (end && here >= len &&
                memcmp(got->data + to, sent->data + at, len) == 0)
                any = next[i] = true;
            if (end && i < run.answer_count &&
                same(sent, at + 4, len - 4, &run.answers[i]))
                any = next[i + 1] = true;
        }
        if (!any)
            abort();
        memcpy(may, next, sizeof may);
        at = end;
    }
}

static void carry(struct kb_pump *pump, bool reached)
{
    struct kbp_error err = KB_ERR_INIT;
    int64_t deadline_ms = kb_deadline_ms(10000);
    int status = KBP_OK;
    size_t app_sent;
    size_t app_got;
    size_t broker_sent;
    size_t broker_got;

    if (!reached)
        status = kb_fail(&err, KBP_ERR_IO, "nobody is there");
    status = kb_pump_greet(pump, status, deadline_ms, &err);
    check_greeting();
    if (status != KBP_OK) {
        check_error(&err);
        return;
    }
    if (!reached)
        abort();
    app_sent = run.app.sent.len;
    app_got = run.app.got.len;
    broker_sent = run.broker.sent.len;
    broker_got = run.broker.got.len;
    run.copying = true;
    if (kb_pump_copy(pump, &err) != KBP_OK)
        check_error(&err);
    check_requests(app_sent, broker_got);
    check_answers(broker_sent, app_got);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct kb_security *with = security();
    struct kb_net_config net;
    struct kb_pump_options options = {
        .net = &net, .host = "broker.test", .port = 9093};
    struct kb_pump pump = {
        .options = &options, .authenticate = -1, .where = "broker.test:9093"};
    int fd = run.fd;
    size_t i;

    if (len < 2)
        return 0;
    memset(&run, 0, sizeof run);
    run.fd = fd;
    run.room = bytes[1];
    run.input = bytes;
    run.input_len = len;
    run.script = bytes + 2;
    run.left = len - 2;
    side_init(&run.app, FROM_APP);
    side_init(&run.broker, FROM_BROKER);
    kb_net_config_init(&net, NULL);
    pump.app = &run.app.base;
    pump.broker = bytes[0] & NO_BROKER ? NULL : &run.broker.base;
    pump.security = bytes[0] & (NO_LOGIN | RELAY) ? NULL : with;
    options.relay = (bytes[0] & RELAY) != 0;
    carry(&pump, pump.broker != NULL);
    if (pump.login)
        ops.login_close(pump.login);
    kb_buf_release(&run.app.sent);
    kb_buf_release(&run.app.got);
    kb_buf_release(&run.broker.sent);
    kb_buf_release(&run.broker.got);
    for (i = 0; i < run.answer_count; i++)
        kb_buf_release(&run.answers[i]);
    return 0;
}

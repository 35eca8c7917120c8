#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# liars.sh - brokers that do SASL wrongly (lib/liar.py): each lie is told apart
# in words, soon, and no client of it goes on as if it were authenticated.
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"

KDC=$KB_WORK/kdc
CANARY=canary-pw
LIES=(honest signature-wrong signature-short signature-empty nonce-not-extended
    nonce-of-another many-iterations too-many-iterations one-iteration no-salt
    final-at-once same-again success-at-once goes-on-asking challenge-of-100-mb
    length-of-100-mb garbage another-answer error-that-paints closes
    closes-later says-nothing drips offers-without-end)

suite_setup() {
    local ports i pairs=()
    kdc_start
    read -r -a ports <<<"$(free_ports ${#LIES[@]})"
    for i in "${!LIES[@]}"; do pairs+=("${ports[i]}:${LIES[i]}"); done
    printf '%s\n' "${pairs[@]}" >"$KB_WORK/liars"
    python3 "$KB_LIB/liar.py" alice $CANARY "${pairs[@]}" \
        >>"$KB_WORK/liar.log" 2>&1 </dev/null &
    proc_add liar $!
    disown $!
    wait_until 20 grep -q ready "$KB_WORK/liar.log"
}

mechanism() { # NAME: its settings, as security=LINE
    SECURITY=(security="security_protocol: SASL_PLAINTEXT"
        security="sasl_mechanism: $1")
    case $1 in
    GSSAPI) SECURITY+=(security="sasl_keytab_path: $KDC/client.keytab"
        security="sasl_krb5_config_path: $KDC/krb5.conf") ;;
    OAUTHBEARER) # {"alg":"none"} {"sub":"canary","exp":4000000000}
        SECURITY+=(security="sasl_oauthbearer_token: eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkiLCJleHAiOjQwMDAwMDAwMDB9.") ;;
    *) SECURITY+=(security="sasl_username: alice"
        security="sasl_password: $CANARY") ;;
    esac
}

# caught MECHANISM LIE TEXT
caught() {
    local name=$1 lie=$2 text=$3 port began=$SECONDS
    mechanism "$name"
    port=$(sed -n "s/:$lie\$//p" "$KB_WORK/liars")
    [ -n "$port" ] || die "no lie $lie"
    backup_yaml "$KB_WORK/b.yaml" id=x broker="localhost:$port" include=t \
        connection="connect_timeout: 3s" "${SECURITY[@]}"
    KB_TIMEOUT=60 kb_run "$KB_FAILED" caught backup -vv -c "$KB_WORK/b.yaml"
    tail -1 "$KB_WORK/caught.err" >"$KB_WORK/said"
    assert_contains "what is said of $lie" "$KB_WORK/said" "$text"
    assert_contains "what is said of $lie" "$KB_WORK/said" "localhost:$port"
    assert_lacks "the log of $lie" "$KB_WORK/caught.err" "$CANARY"
    assert_lacks "the log of $lie" "$KB_WORK/caught.err" eyJzdWIiOiJjYW5hcnki
    assert_eq "lines of $lie with what terminals obey" 0 \
        "$(LC_ALL=C grep -c '[^[:print:]]' "$KB_WORK/said")"
    # connect_timeout, and what a machine under load adds
    assert_at_most "seconds until $lie is caught" 20 $((SECONDS - began))
    assert_lacks "what $lie saw" "$KB_WORK/liar.log" "$lie in"
    [ "$name" != GSSAPI ] || note "$lie: $(cut -c26- "$KB_WORK/said")"
}

# The fake as such is all right: a client that believes it goes on.
case_an_honest_one_is_believed() {
    local name port
    port=$(sed -n "s/:honest\$//p" "$KB_WORK/liars")
    for name in SCRAM-SHA-256 SCRAM-SHA-512; do
        mechanism $name
        backup_yaml "$KB_WORK/b.yaml" id=x broker="localhost:$port" include=t \
            connection="connect_timeout: 3s" "${SECURITY[@]}"
        : >"$KB_WORK/liar.log"
        kb_run $KB_FAILED honest backup -c "$KB_WORK/b.yaml"
        assert_contains "$name: what the fake saw" "$KB_WORK/liar.log" "honest in"
        assert_contains "the hint" "$KB_WORK/honest.err" "it took the authentication"
    done
}

case_signatures() {
    caught SCRAM-SHA-256 signature-wrong "the broker's signature is wrong"
    caught SCRAM-SHA-512 signature-wrong "the broker's signature is wrong"
    caught SCRAM-SHA-256 signature-short "the broker's signature is wrong"
    caught SCRAM-SHA-256 signature-empty "ends SCRAM without its signature"
}

case_nonces() {
    caught SCRAM-SHA-256 nonce-not-extended "adds nothing to our nonce"
    caught SCRAM-SHA-512 nonce-of-another "nonce doesn't begin with ours"
}

case_iterations_and_salt() {
    caught SCRAM-SHA-256 one-iteration "asks for 1 iterations"
    caught SCRAM-SHA-256 too-many-iterations "asks for 1000001 iterations"
    caught SCRAM-SHA-256 many-iterations "iteration count isn't a number from 4096"
    caught SCRAM-SHA-512 no-salt "salt isn't valid base64"
}

# PLAIN has no proof of the broker's: there, a success is one.
case_success_that_comes_early() {
    caught SCRAM-SHA-256 success-at-once "first SCRAM message is malformed"
    caught SCRAM-SHA-256 final-at-once "first SCRAM message is malformed"
    caught GSSAPI success-at-once "SASL GSSAPI"
}

case_challenges_without_end() {
    caught PLAIN goes-on-asking "a challenge of 7 bytes, which PLAIN doesn't have"
    caught SCRAM-SHA-256 goes-on-asking "first SCRAM message is malformed"
    caught SCRAM-SHA-256 same-again "ends SCRAM without its signature"
    caught OAUTHBEARER goes-on-asking "refuses the token: go on 1"
    caught GSSAPI goes-on-asking "SASL GSSAPI"
}

# Of 100 MB, no more is taken than lies in the sockets' buffers.
case_challenges_of_100_mb() {
    local name most
    for name in PLAIN SCRAM-SHA-256 OAUTHBEARER GSSAPI; do
        caught $name challenge-of-100-mb "an answer of 104857620 bytes in the middle"
        caught $name length-of-100-mb "its answer to SaslAuthenticate can't be understood"
    done
    wait_until 10 grep -q "100-mb sent" "$KB_WORK/liar.log" ||
        fail "the fake doesn't say how much it sent"
    most=$(sed -n 's/.*100-mb sent //p' "$KB_WORK/liar.log" | sort -n | tail -1)
    assert_at_most "bytes that were sent" $((50 << 20)) "$most"
}

case_what_is_no_answer() {
    caught SCRAM-SHA-256 garbage "first SCRAM message is malformed"
    caught GSSAPI garbage "SASL GSSAPI"
    caught SCRAM-SHA-256 another-answer "an answer to another request"
    caught PLAIN error-that-paints "refuses user alice: no"
    caught OAUTHBEARER error-that-paints "refuses the token"
    caught SCRAM-SHA-256 offers-without-end "SCRAM-SHA-256 not enabled; it offers PLAIN"
}

case_closes_in_the_middle() {
    caught PLAIN closes "in the middle of SASL authentication: the peer closed"
    caught SCRAM-SHA-256 closes-later "in the middle of SASL authentication: the peer closed"
    caught GSSAPI closes "in the middle of SASL authentication: the peer closed"
}

case_says_nothing_more() {
    caught SCRAM-SHA-256 says-nothing "in the middle of SASL authentication: no answer in time"
    caught OAUTHBEARER drips "in the middle of SASL authentication: no answer in time"
}

suite_main "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sasl_plugins.sh - each SASL plugin against Kafka (SASL_KAFKA=3.9.1 for another
# than 4.0.0), an MIT KDC and an
# OpenID issuer; authentication again in place; and what refusals say.
. "$(dirname "$0")/../lib/lib.sh"
. "$KB_LIB/secure.sh"
KB_NEEDS_PRODUCT=0
PLUGINS=$KB_BUILD/lib/kafka-backup/plugins
REAUTH_MS=4000

suite_setup() {
    kdc_start
    idp_start 300
    sasl_broker k "${SASL_KAFKA:-$KAFKA_4}" $REAUTH_MS
    sasl_broker_start k
}

# The subshell of the setup is gone; these say where things are.
KDC=$KB_WORK/kdc
places() { IDP=http://127.0.0.1:$(cat "$KB_WORK/idp.port"); }

probe() { # TYPE ADDRESS ARGS...
    local type=$1 address=$2 file
    shift 2
    case $type in
    PLAIN) file=sasl_plain ;;
    SCRAM*) file=sasl_scram ;;
    GSSAPI) file=sasl_gssapi ;;
    OAUTHBEARER) file=sasl_oauthbearer ;;
    esac
    KRB5_CONFIG=${KRB5:-$KDC/krb5.conf} ${CLOCK:-} python3 "$KB_LIB/sasl_probe.py" \
        "$PLUGINS/$file.so" "$type" "$address" "$@" >"$KB_WORK/out" 2>&1
}

well() { # WHO TYPE ADDRESS ARGS...
    local who=$1
    shift
    probe "$@" || fail "$*: $(cat "$KB_WORK/out")"
    assert_contains "$1" "$KB_WORK/out" "authenticated User:$who session "
}

refused() { # TEXT TYPE ADDRESS ARGS...
    local text=$1
    shift
    ! probe "$@" || fail "$*: was not refused"
    assert_contains "$1" "$KB_WORK/out" "$text"
}

# Five times in a row on one connection, longer than the first session lasts.
again() { # WHO TYPE ADDRESS ARGS...
    well "$@" --reauth 5 --gap 1.6
    assert_eq "sessions of $2" 5 "$(grep -c "^again . User:$1 session " "$KB_WORK/out")"
    ! grep -q ' session 0 ' "$KB_WORK/out" || fail "$2: a session without end"
    note "$(tail -1 "$KB_WORK/out")"
}

unsecured() { # SUBJECT LIFE: a token as the unsecured validator takes it
    python3 - "$1" "$2" <<'P'
import base64, json, sys, time
now = int(time.time())
part = lambda d: base64.urlsafe_b64encode(json.dumps(d).encode()).decode().rstrip("=")
print(part({"alg": "none"}) + "." + part({"sub": sys.argv[1], "iat": now - 60, "exp": now + int(sys.argv[2])}) + ".")
P
}

case_plain() {
    again alice PLAIN "$(sasl_addr k)" sasl_username=alice sasl_password=alice-secret
    assert_contains "the log" "$KB_WORK/out" "log 2 PLAIN without TLS"
    assert_lacks "the output" "$KB_WORK/out" alice-secret
    well bob PLAIN "$(sasl_addr k)" sasl_username=bob sasl_password="$BOB_PASSWORD"
}

case_plain_from_a_file_that_changes() {
    printf 'wrong\n' >"$KB_WORK/password"
    refused "the broker refuses user alice" PLAIN "$(sasl_addr k)" \
        sasl_username=alice sasl_password_file="$KB_WORK/password"
    printf 'alice-secret\n' >"$KB_WORK/password"
    well alice PLAIN "$(sasl_addr k)" sasl_username=alice \
        sasl_password_file="$KB_WORK/password"
}

case_scram_256() {
    again alice SCRAM-SHA-256 "$(sasl_addr k)" sasl_username=alice sasl_password=alice-secret
    well bob SCRAM-SHA-256 "$(sasl_addr k)" sasl_username=bob sasl_password="$BOB_PASSWORD"
}

case_scram_512() {
    again alice SCRAM-SHA512 "$(sasl_addr k)" sasl_username=alice sasl_password=alice-secret
    well bob SCRAM-SHA-512 "$(sasl_addr k)" sasl_username=bob sasl_password="$BOB_PASSWORD"
}

case_delegation_token() {
    local id hmac
    well alice PLAIN "$(sasl_addr k)" sasl_username=alice sasl_password=alice-secret --token
    read -r _ id hmac <<<"$(grep '^token ' "$KB_WORK/out")"
    # the broker makes the token's SCRAM credentials a moment later
    wait_until 60 probe SCRAM-SHA-256 "$(sasl_addr k)" sasl_username="$id" \
        sasl_password="$hmac" sasl_tokenauth=true ||
        fail "the token is refused: $(cat "$KB_WORK/out")"
    assert_contains "the token's owner" "$KB_WORK/out" "authenticated User:alice"
    refused "the broker refuses user $id" SCRAM-SHA-256 "$(sasl_addr k)" \
        sasl_username="$id" sasl_password="$hmac"
}

case_gssapi() {
    again backup GSSAPI "$(sasl_addr k)" sasl_keytab_path="$KDC/client.keytab"
    assert_eq "tickets from the KDC" 1 \
        "$(grep -c 'AS_REQ.*ISSUE.*backup/client' "$KDC/kdc.log")"
    KRB5_CONFIG=$KDC/krb5.conf kinit -c "FILE:$KB_WORK/ccache" -k \
        -t "$KDC/client.keytab" backup/client
    well backup GSSAPI "$(sasl_addr k)" sasl_kerberos_ccache="FILE:$KB_WORK/ccache"
}

case_oauthbearer_unsecured() {
    again kafka-user OAUTHBEARER "$(sasl_addr k)" \
        sasl_oauthbearer_token="$(unsecured kafka-user 600)"
    unsecured short 30 >"$KB_WORK/token"
    well short OAUTHBEARER "$(sasl_addr k)" sasl_oauthbearer_token_file="$KB_WORK/token"
}

oidc() { # CLIENT
    places
    echo "sasl_oauthbearer_token_endpoint_url=$IDP/token sasl_oauthbearer_client_id=$1 sasl_oauthbearer_client_secret=backup-secret sasl_oauthbearer_scope=kafka"
}

# shellcheck disable=SC2046 # words on purpose
case_oauthbearer_oidc() {
    again backup OAUTHBEARER "$(oidc_addr k)" $(oidc backup)
    well backup-post OAUTHBEARER "$(oidc_addr k)" $(oidc backup-post) \
        sasl_oauthbearer_client_auth=post
}

# Tokens that end in 8 s: the sessions end with them, and each authentication
# that comes after half of a token's life brings a new one.
# shellcheck disable=SC2046
case_oauthbearer_oidc_renews_tokens() {
    idp_stop
    places
    idp_start 8
    well backup OAUTHBEARER "$(oidc_addr k)" $(oidc backup) --reauth 5 --gap 2.5
    assert_eq "authentications" 5 "$(grep -c '^again' "$KB_WORK/out")"
    idp_stop
    idp_start 300
}

case_without_doing_it_again_the_broker_ends_the_session() {
    refused "the broker closed the connection" PLAIN "$(sasl_addr k)" \
        sasl_username=alice sasl_password=alice-secret --linger 6
}

case_wrong_credentials() {
    refused "the broker refuses user alice: Authentication failed" PLAIN \
        "$(sasl_addr k)" sasl_username=alice sasl_password=canary-pw
    assert_contains "the hint" "$KB_WORK/out" "check sasl_username"
    assert_lacks "the output" "$KB_WORK/out" canary-pw
    refused "the broker refuses user nobody" SCRAM-SHA-256 "$(sasl_addr k)" \
        sasl_username=nobody sasl_password=canary-pw
    refused "the broker refuses user alice" SCRAM-SHA-512 "$(sasl_addr k)" \
        sasl_username=alice sasl_password=canary-pw
    assert_contains "the hint" "$KB_WORK/out" "kafka-configs.sh"
    assert_lacks "the output" "$KB_WORK/out" canary-pw
}

case_mechanism_not_enabled() {
    refused "handshake refused with 33, it offers OAUTHBEARER" PLAIN \
        "$(oidc_addr k)" sasl_username=alice sasl_password=alice-secret
}

# libkrb5 makes up for a clock that is off by what the KDC answers; where it is
# told not to, the error says so.
case_clock_off_by_ten_minutes() {
    need_packages faketime=faketime
    local CLOCK='faketime -f +10m' KRB5=$KB_WORK/krb5-strict.conf
    sed 's/^ default_realm.*/&\n kdc_timesync = 0/' "$KDC/krb5.conf" >"$KRB5"
    refused "Clock skew too great" GSSAPI "$(sasl_addr k)" \
        sasl_keytab_path="$KDC/client.keytab"
    assert_contains "the remedy" "$KB_WORK/out" "differ by more than 5 minutes"
    KRB5=$KDC/krb5.conf
    well backup GSSAPI "$(sasl_addr k)" sasl_keytab_path="$KDC/client.keytab"
}

# shellcheck disable=SC2046
case_wrong_tokens() {
    places
    refused "sasl_oauthbearer_token expired" OAUTHBEARER "$(sasl_addr k)" \
        sasl_oauthbearer_token="$(unsecured late -30)"
    # another audience: the broker says no, and the error what the token says
    refused "the broker refuses the token" OAUTHBEARER "$(oidc_addr k)" $(oidc other)
    assert_contains "the claims" "$KB_WORK/out" "aud other"
    assert_contains "the refusal" "$KB_WORK/out" invalid_token
    assert_contains "the hint" "$KB_WORK/out" expected.issuer
    # a token that nobody signed
    refused "the broker refuses the token" OAUTHBEARER "$(oidc_addr k)" \
        sasl_oauthbearer_token="$(unsecured forged 600)"
    refused "HTTP 401, invalid_client" OAUTHBEARER "$(oidc_addr k)" \
        $(oidc backup) sasl_oauthbearer_client_secret=canary-pw
    assert_lacks "the output" "$KB_WORK/out" canary-pw
}

case_kerberos_troubles() {
    refused "kafka/unknown.test@KB.TEST" GSSAPI "$(sasl_addr k)" \
        sasl_keytab_path="$KDC/client.keytab" --spn unknown.test
    assert_contains "the cause" "$KB_WORK/out" "not found in Kerberos database"
    assert_contains "the remedy" "$KB_WORK/out" rdns
    refused "has no key for other/client" GSSAPI "$(sasl_addr k)" \
        sasl_keytab_path="$KDC/client.keytab" sasl_kerberos_principal=other/client
    refused "can't read the keytab for kafka/" GSSAPI "$(sasl_addr k)" \
        sasl_keytab_path="$KDC/none.keytab"
    kdc_stop
    refused "no KDC answers" GSSAPI "$(sasl_addr k)" \
        sasl_keytab_path="$KDC/client.keytab"
    kdc_start
    # The broker's key changes, but not its keytab: it can't read the ticket.
    kdc_admin 'cpw -randkey kafka/localhost'
    refused "the broker refuses the ticket for kafka/localhost@KB.TEST" GSSAPI \
        "$(sasl_addr k)" sasl_keytab_path="$KDC/client.keytab"
    assert_contains "the principal" "$KB_WORK/out" backup/client@KB.TEST
    assert_contains "the remedy" "$KB_WORK/out" kvno
}

suite_main "$@"

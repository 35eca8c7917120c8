# SPDX-License-Identifier: Apache-2.0
# secure.sh - a broker with SASL listeners, a KDC and an OpenID issuer.
# Source it after lib.sh.
#
#   kdc_start | kdc_stop      MIT Kerberos, realm KB.TEST; krb5.conf for clients
#                             is $KDC/krb5.conf, keytabs are $KDC/*.keytab
#   kdc_admin 'QUERY'         kadmin.local
#   idp_start LIFE | idp_stop an issuer at $IDP, tokens good for LIFE seconds
#   sasl_broker NAME VERSION REAUTH_MS   made, not started: PLAIN, SCRAM, GSSAPI
#                             and OAUTHBEARER (unsecured tokens) at sasl_addr,
#                             the same over TLS at saslssl_addr ($TLS/ca.crt),
#                             OAUTHBEARER checked by JWKS at oidc_addr
#   sasl_broker_start NAME    starts it, and makes the users of SCRAM
#
# Users of PLAIN and SCRAM: alice / alice-secret, bob / $BOB_PASSWORD.

BOB_PASSWORD='pässwörd-ªb'

kdc_admin() {
    KRB5_CONFIG=$KDC/krb5.conf KRB5_KDC_PROFILE=$KDC/kdc.conf \
        kadmin.local -r KB.TEST -q "$1" >>"$KDC/admin.log" 2>&1
}

kdc_start() {
    need_kdc_packages
    KDC=$KB_WORK/kdc
    if [ ! -d "$KDC" ]; then
        mkdir -p "$KDC"
        KDC_PORT=$(free_ports 1)
        echo "$KDC_PORT" >"$KDC/port"
        cat >"$KDC/krb5.conf" <<K
[libdefaults]
 default_realm = KB.TEST
 rdns = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
[realms]
 KB.TEST = {
  kdc = 127.0.0.1:$KDC_PORT
 }
[domain_realm]
 localhost = KB.TEST
 unknown.test = KB.TEST
K
        cat >"$KDC/kdc.conf" <<K
[kdcdefaults]
 kdc_listen = 127.0.0.1:$KDC_PORT
 kdc_tcp_listen = 127.0.0.1:$KDC_PORT
[realms]
 KB.TEST = {
  database_name = $KDC/db
  key_stash_file = $KDC/stash
 }
[logging]
 kdc = FILE:$KDC/kdc.log
K
        KRB5_CONFIG=$KDC/krb5.conf KRB5_KDC_PROFILE=$KDC/kdc.conf \
            kdb5_util create -s -P master -r KB.TEST >"$KDC/admin.log" 2>&1
        kdc_admin 'addprinc -randkey kafka/localhost'
        kdc_admin 'addprinc -randkey +requires_preauth backup/client'
        kdc_admin "ktadd -k $KDC/broker.keytab kafka/localhost"
        kdc_admin "ktadd -k $KDC/client.keytab backup/client"
    fi
    (KRB5_CONFIG=$KDC/krb5.conf KRB5_KDC_PROFILE=$KDC/kdc.conf \
        exec krb5kdc -n -r KB.TEST) >>"$KDC/run.log" 2>&1 </dev/null &
    proc_add kdc $!
    disown $!
    wait_until 20 port_answers "$(cat "$KDC/port")" || die "the KDC does not start"
}

kdc_stop() { proc_stop kdc; }

idp_install() {
    local dir=$KB_CACHE/oidc-provider-8.8.1
    need_packages node=nodejs npm=npm curl=curl
    [ -f "$dir/.complete" ] && return 0
    mkdir -p "$dir"
    (
        flock 9
        [ -f "$dir/.complete" ] && exit 0
        cd "$dir"
        echo '{"private": true}' >package.json
        npm install --no-audit --no-fund oidc-provider@8.8.1 >npm.log 2>&1 ||
            { tail -5 npm.log >&2; exit 1; }
        touch .complete
    ) 9>"$dir/lock" || die "npm could not get oidc-provider"
}

idp_start() { # LIFE
    idp_install
    [ -f "$KB_WORK/idp.port" ] || free_ports 1 >"$KB_WORK/idp.port"
    IDP=http://127.0.0.1:$(cat "$KB_WORK/idp.port")
    (PORT=$(cat "$KB_WORK/idp.port") LIFE=$1 KEYS=$KB_WORK/idp.keys \
        MODULES=$KB_CACHE/oidc-provider-8.8.1 \
        exec node "$KB_LIB/idp.mjs") >"$KB_WORK/idp.log" 2>&1 </dev/null &
    proc_add idp $!
    disown $!
    wait_until 60 curl -fsS -o /dev/null "$IDP/.well-known/openid-configuration" \
        2>/dev/null || { tail "$KB_WORK/idp.log" >&2; die "no issuer"; }
}

idp_stop() { proc_stop idp; }

sasl_jaas() { # LISTENER MECHANISM CLASS OPTIONS
    echo "listener.name.$1.$2.sasl.jaas.config=$3 required $4;"
}

sasl_addr() { echo "localhost:$(kafka_get "$1" sasl)"; }
saslssl_addr() { echo "localhost:$(kafka_get "$1" saslssl)"; }
oidc_addr() { echo "localhost:$(kafka_get "$1" oidc)"; }

# A throwaway CA, and a broker's certificate with its key in one PEM file.
tls_make() {
    TLS=$KB_WORK/tls
    [ -s "$TLS/broker.pem" ] && return 0
    need_packages openssl=openssl
    mkdir -p "$TLS"
    (
        cd "$TLS"
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-ca \
            -keyout ca.key -out ca.crt
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost \
            -keyout broker.key -out broker.csr
        openssl x509 -req -in broker.csr -CA ca.crt -CAkey ca.key \
            -CAcreateserial -days 30 -out broker.crt \
            -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1')
        openssl pkcs8 -topk8 -nocrypt -in broker.key -out broker.p8
        cat broker.p8 broker.crt >broker.pem
    ) >"$TLS/log" 2>&1 || { tail -5 "$TLS/log" >&2; die "no certificates"; }
}

escaped() { # TEXT: for a properties file
    python3 -c 'import sys
print("".join(c if ord(c) < 128 else "\\u%04x" % ord(c) for c in sys.argv[1]))' "$1"
}

sasl_broker() { # NAME VERSION REAUTH_MS [KEY=VALUE...]
    local name=$1 version=$2 reauth=$3 dir file ports listener
    local common=org.apache.kafka.common.security
    shift 3
    tls_make
    kafka_new "$name" "$version"
    dir=$(kafka_dir "$name")
    file=$dir/server.properties
    read -r -a ports <<<"$(free_ports 3)"
    printf 'sasl=%s\noidc=%s\nsaslssl=%s\n' "${ports[@]}" >>"$dir/node"
    sed -i -e "s|^listeners=.*|&,SASL://127.0.0.1:${ports[0]},OIDC://127.0.0.1:${ports[1]},SASLSSL://127.0.0.1:${ports[2]}|" \
        -e "s|^advertised.listeners=.*|&,SASL://localhost:${ports[0]},OIDC://localhost:${ports[1]},SASLSSL://localhost:${ports[2]}|" \
        -e "s|^listener.security.protocol.map=.*|&,SASL:SASL_PLAINTEXT,OIDC:SASL_PLAINTEXT,SASLSSL:SASL_SSL|" \
        "$file"
    {
        echo "listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,GSSAPI,OAUTHBEARER"
        echo "listener.name.saslssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,GSSAPI,OAUTHBEARER"
        echo "ssl.keystore.type=PEM"
        echo "ssl.keystore.location=$TLS/broker.pem"
        echo "listener.name.oidc.sasl.enabled.mechanisms=OAUTHBEARER"
        echo "sasl.kerberos.service.name=kafka"
        echo "connections.max.reauth.ms=$reauth"
        echo "delegation.token.secret.key=test"
        echo "delegation.token.master.key=test"
        for listener in sasl saslssl; do
            sasl_jaas $listener plain $common.plain.PlainLoginModule \
                "user_alice=\"alice-secret\" user_bob=\"$(escaped "$BOB_PASSWORD")\""
            sasl_jaas $listener scram-sha-256 $common.scram.ScramLoginModule ""
            sasl_jaas $listener scram-sha-512 $common.scram.ScramLoginModule ""
            sasl_jaas $listener gssapi com.sun.security.auth.module.Krb5LoginModule \
                "useKeyTab=true storeKey=true keyTab=\"$KDC/broker.keytab\" principal=\"kafka/localhost@KB.TEST\""
            sasl_jaas $listener oauthbearer \
                $common.oauthbearer.OAuthBearerLoginModule \
                'unsecuredLoginStringClaim_sub="kafka"'
        done
        sasl_jaas oidc oauthbearer \
            $common.oauthbearer.OAuthBearerLoginModule ""
        echo "listener.name.oidc.oauthbearer.sasl.server.callback.handler.class=$common.oauthbearer.OAuthBearerValidatorCallbackHandler"
        echo "listener.name.oidc.oauthbearer.sasl.oauthbearer.jwks.endpoint.url=$IDP/jwks"
        echo "listener.name.oidc.oauthbearer.sasl.oauthbearer.expected.issuer=$IDP"
        echo "listener.name.oidc.oauthbearer.sasl.oauthbearer.expected.audience=kafka"
    } >>"$file"
    kafka_properties "$file" "$@"
}

sasl_broker_start() { # NAME
    # What Krb5LoginModule and the check of URLs can be told in no other way.
    JAVA_TOOL_OPTIONS="-Djava.security.krb5.conf=$KDC/krb5.conf -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=$IDP/jwks" \
        kafka_start "$1"
    client scram -b "$(kafka_addr "$1")" alice=alice-secret \
        "bob=$(escaped "$BOB_PASSWORD")" || die "no users of SCRAM"
}

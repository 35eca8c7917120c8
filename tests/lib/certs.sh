# SPDX-License-Identifier: Apache-2.0
# certs.sh - certificates, and TLS listeners for a broker of secure.sh.
# Source it after secure.sh.
#
#   certs_make                   a CA and certificates in $CERTS (see below)
#   tls_listeners NAME         listeners SSL, MTLS (a client certificate is
#                              required) and STLS (SASL_SSL), before the start
#   tls_addr NAME WHICH        host:port of ssl, mtls, stls, or wrong: it has the
#                              certificate of kafka.example.org, the name that
#                              it advertises and that no DNS knows

CERTS=$KB_WORK/certs

tls_cert() { # NAME SUBJECT SAN DAYS [CA]
    local name=$1 ca=${5:-ca} days=$4
    openssl req -newkey rsa:2048 -nodes -keyout "$CERTS/$name.key" \
        -out "$CERTS/$name.csr" -subj "$2" 2>/dev/null
    openssl x509 -req -in "$CERTS/$name.csr" -CA "$CERTS/$ca.pem" \
        -CAkey "$CERTS/$ca.key" -CAcreateserial -out "$CERTS/$name.pem" \
        -days "$days" -extfile <(printf 'subjectAltName=%s\n' "$3") 2>/dev/null
}

tls_ca() { # NAME
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$CERTS/$1.key" \
        -out "$CERTS/$1.pem" -days 365 -subj "/CN=$1" 2>/dev/null
}

tls_keystore() { # NAME: for Java
    openssl pkcs12 -export -inkey "$CERTS/$1.key" -in "$CERTS/$1.pem" \
        -certfile "$CERTS/ca.pem" -out "$CERTS/$1.p12" -passout pass:changeit
}

# ca other-ca; broker (localhost), wrong-host; client, client.enc.key (password
# keypass, PKCS#8), client.trad.key (the same, traditional PEM), soon (expires
# in 10 days).
certs_make() {
    need_packages openssl=openssl keytool=openjdk-17-jdk-headless
    [ -f "$CERTS/.complete" ] && return 0
    mkdir -p "$CERTS"
    tls_ca ca
    tls_ca other-ca
    tls_cert broker /CN=localhost DNS:localhost,IP:127.0.0.1,IP:::1 365
    tls_cert wrong-host /CN=kafka.example.org DNS:kafka.example.org 365
    tls_cert client /CN=kbclient DNS:kbclient 365
    tls_cert soon /CN=kbclient DNS:kbclient 10
    openssl pkcs8 -topk8 -v2 aes256 -in "$CERTS/client.key" \
        -out "$CERTS/client.enc.key" -passout pass:keypass
    openssl rsa -aes128 -traditional -in "$CERTS/client.key" \
        -out "$CERTS/client.trad.key" -passout pass:keypass 2>/dev/null
    cat "$CERTS/client.pem" "$CERTS/client.key" >"$CERTS/client.both.pem"
    tls_keystore broker
    tls_keystore wrong-host
    keytool -importcert -noprompt -alias ca -file "$CERTS/ca.pem" \
        -keystore "$CERTS/trust.p12" -storetype PKCS12 -storepass changeit \
        >/dev/null 2>&1
    touch "$CERTS/.complete"
}

tls_addr() {
    local host=localhost
    [ "$2" = v6 ] && host=[::1]
    echo "$host:$(kafka_get "$1" "$2")"
}

tls_listener_properties() { # LISTENER KEYSTORE
    echo "listener.name.$1.ssl.keystore.location=$CERTS/$2.p12"
    echo "listener.name.$1.ssl.keystore.password=changeit"
    echo "listener.name.$1.ssl.keystore.type=PKCS12"
    echo "listener.name.$1.ssl.truststore.location=$CERTS/trust.p12"
    echo "listener.name.$1.ssl.truststore.password=changeit"
    echo "listener.name.$1.ssl.truststore.type=PKCS12"
}

has_ipv6() { grep -q ' lo$' /proc/net/if_inet6 2>/dev/null; }

tls_listeners() { # NAME
    local name=$1 dir file ports which i=0 all="ssl mtls stls wrong"
    has_ipv6 && all+=" v6"
    dir=$(kafka_dir "$name")
    file=$dir/server.properties
    certs_make
    read -r -a ports <<<"$(free_ports 5)"
    for which in $all; do
        printf '%s=%s\n' "$which" "${ports[i]}" >>"$dir/node"
        local upper=${which^^} protocol=SSL host=localhost bound=127.0.0.1
        [ "$which" = v6 ] && host=[::1] bound=[::1]
        [ "$which" = wrong ] && host=kafka.example.org
        [ "$which" = stls ] && protocol=SASL_SSL
        sed -i -e "s|^listeners=.*|&,$upper://$bound:${ports[i]}|" \
            -e "s|^advertised.listeners=.*|&,$upper://$host:${ports[i]}|" \
            -e "s|^listener.security.protocol.map=.*|&,$upper:$protocol|" \
            "$file"
        i=$((i + 1))
    done
    {
        for which in ${all/wrong/}; do
            tls_listener_properties "$which" broker
        done
        tls_listener_properties wrong wrong-host
        echo "listener.name.mtls.ssl.client.auth=required"
        # the SASL listener's mechanisms, here over TLS
        sed -n 's/^listener\.name\.sasl\./listener.name.stls./p' "$file"
    } >"$file.tls"
    cat "$file.tls" >>"$file"
}

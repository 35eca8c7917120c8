# SPDX-License-Identifier: Apache-2.0
# programs.sh - other people's clients: Python wheels, programs of
# tests/programs with a librdkafka linked in, the examples of docs/EMBEDDING.md.
#
#   wheel VERSION            Python's confluent-kafka; $KB_CACHE/confluent-kafka-
#                            VERSION/venv/bin/python has it
#   programs_build go|rust   builds tests/programs/go or rust, in the cache
#   programs_dir go|rust     where: reauth is the binary; more can be built there
#   example NAME             the example of that name, with this test's broker
#                            and CA in it

WHEEL_NEWEST=${KB_WHEEL_NEWEST:-2.16.0}

# A Python with that confluent-kafka, in the cache.
wheel() { # VERSION
    local dir=$KB_CACHE/confluent-kafka-$1
    need_packages python3=python3 /usr/lib/python3*/ensurepip=python3-venv
    [ -f "$dir/.complete" ] && return 0
    (
        flock 9
        [ -f "$dir/.complete" ] && exit 0
        rm -rf "$dir/venv"
        python3 -m venv "$dir/venv" &&
            "$dir/venv/bin/pip" install -q --only-binary :all: \
                "confluent-kafka==$1" >"$dir/pip.log" 2>&1 &&
            touch "$dir/.complete"
    ) 9>"$(mkdir -p "$dir" && echo "$dir/lock")" ||
        { tail -3 "$dir/pip.log" >&2; die "no confluent-kafka $1"; }
}

programs_dir() { # LANGUAGE
    local sum
    sum=$(cd "$KB_ROOT" && find "tests/programs/$1" -type f | sort |
        xargs cat | sha256sum | cut -c1-16)
    printf '%s\n' "$KB_CACHE/programs-$1-$sum"
}

programs_build() { # LANGUAGE
    local dir
    dir=$(programs_dir "$1")
    case $1 in
    go) need_packages go=golang-go gcc=gcc ;;
    # Debian's cargo of 2022 needs the registry's git index; this one doesn't.
    rust) need_packages cargo=cargo-web gcc=gcc g++=g++ make=make \
        '/usr/include/zlib.h=zlib1g-dev' ;;
    esac
    mkdir -p "$dir"
    (
        flock 9
        [ -f "$dir/.complete" ] && exit 0
        rm -rf "$dir/src"
        cp -r "$KB_ROOT/tests/programs/$1" "$dir/src" &&
            "build_$1" "$dir" reauth >"$dir/log" 2>&1 && touch "$dir/.complete"
    ) 9>"$dir/lock" || { tail -20 "$dir/log" >&2; die "no $1 programs"; }
}

build_go() { # DIR NAME [FLAG...]
    local dir=$1 name=$2
    shift 2
    (cd "$dir/src" && GOFLAGS='-mod=readonly -buildvcs=false' \
        GOTOOLCHAIN=local go build -o "$dir/$name" "$@" "./$name")
}

build_rust() { # DIR NAME
    (cd "$1/src" && CARGO_TARGET_DIR=$KB_CACHE/programs-rust-target \
        cargo build --locked --bin "$2" &&
        cp "$KB_CACHE/programs-rust-target/debug/$2" "$1/$2")
}

# What stands in the fence behind "<!-- example: NAME -->".
example() { # NAME
    awk -v mark="<!-- example: $1 -->" '
        $0 == mark { found = 1; next }
        found == 1 && /^```/ { found = 2; next }
        found == 2 && /^```/ { exit }
        found == 2 { print; some = 1 }
        END { exit !some }' "$KB_ROOT/docs/EMBEDDING.md" |
        sed -e "s|kafka-1:9093|$EXAMPLE_BROKER|; s|/etc/kafka/ca.pem|$EXAMPLE_CA|"
}

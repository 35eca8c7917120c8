# SPDX-License-Identifier: Apache-2.0
# suite.sh - how a suite runs its cases, and what they assert with.
#
# A suite sources lib.sh, defines functions case_NAME, and ends with
#     suite_main "$@"
# Each case runs in a subshell under set -e; the first command that fails ends
# it. Arguments choose cases by pattern; -l lists them. suite_setup and
# suite_teardown, when defined, run once around all of them. Everything that
# was started is ended, and the work folder removed, whatever happens.
# KB_KEEP=1 keeps the folder.

suite_init() { # called by lib.sh
    local base=${KB_TMP:-${TMPDIR:-/tmp}}
    KB_SUITE=$(basename "${BASH_SOURCE[-1]}" .sh)
    mkdir -p "$base"
    KB_WORK=$(mktemp -d "$base/kb-$KB_SUITE.XXXXXX")
    mkdir -p "$KB_WORK/pids" "$KB_WORK/kafka"
    KB_SHELL_PID=$BASHPID
    trap suite_cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

suite_kill_all() {
    local file
    for file in "$KB_WORK"/pids/*; do
        [ -e "$file" ] && proc_kill "$(basename "$file")"
    done
    return 0
}

suite_cleanup() {
    local status=$? file
    [ "$BASHPID" = "$KB_SHELL_PID" ] || return "$status"
    trap - EXIT
    if declare -F suite_teardown >/dev/null; then suite_teardown || true; fi
    suite_kill_all
    for file in "$KB_WORK"/mounts/*; do
        [ -e "$file" ] && as_root umount -l "$(cat "$file")" || true
    done
    if [ -n "${KB_KEEP:-}" ]; then
        say "kept: $KB_WORK"
    else
        rm -rf "$KB_WORK" 2>/dev/null || { sleep 1; rm -rf "$KB_WORK"; }
    fi
    exit "$status"
}

# The reason a case failed goes to stderr and, for the table, to a file.
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    printf '%s\n' "$*" >>"$KB_WORK/reason"
    exit 1
}

skip() { # ends the case as skipped; always with its reason
    printf '%s\n' "$*" >"$KB_WORK/skipped"
    exit 0
}

suite_cases() { declare -F | sed -n 's/^declare -f case_//p'; }

# In the order in which they stand in the file.
suite_ordered_cases() {
    local name
    shopt -s extdebug
    for name in $(suite_cases); do
        declare -F "case_$name"
    done | sort -k2,2n | sed 's/^case_//; s/ .*//'
    shopt -u extdebug
}

suite_wanted() { # NAME PATTERN...
    local name=$1 pattern
    shift
    [ $# -eq 0 ] && return 0
    for pattern in "$@"; do
        # shellcheck disable=SC2053 # it is a pattern
        [[ $name == $pattern ]] && return 0
    done
    return 1
}

suite_result() { # pass|fail|skip CASE SECONDS REASON
    [ -n "${KB_RESULTS:-}" ] &&
        printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$KB_SUITE" "$2" "$3" "$4" \
            >>"$KB_RESULTS"
    return 0
}

suite_main() {
    local name status began seconds failed=0 ran=0 skipped=0 reason
    if [ "${1:-}" = -l ]; then suite_ordered_cases; return; fi
    if [ "${KB_NEEDS_PRODUCT:-1}" = 1 ] && [ ! -x "$KB_BIN" ]; then
        die "there is no $KB_BIN: build it first (cmake --preset dev && cmake --build --preset dev)"
    fi
    if declare -F suite_setup >/dev/null; then
        began=$SECONDS
        (set -e; suite_setup)
        status=$?
        if [ "$status" != 0 ]; then
            say "FAILED $KB_SUITE: its setup failed"
            suite_result fail setup $((SECONDS - began)) "setup failed"
            exit 1
        fi
        say "== $KB_SUITE (set up in $((SECONDS - began)) s)"
    fi
    for name in $(suite_ordered_cases); do
        suite_wanted "$name" "$@" || continue
        began=$SECONDS
        rm -f "$KB_WORK/reason" "$KB_WORK/skipped"
        (set -eE
         trap 'printf "at %s:%s: %s\n" "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" >>"$KB_WORK/reason"' ERR
         "case_$name")
        status=$?
        # without a setup, what runs belongs to the case
        declare -F suite_setup >/dev/null || suite_kill_all
        seconds=$((SECONDS - began))
        ran=$((ran + 1))
        if [ "$status" != 0 ]; then
            failed=$((failed + 1))
            reason=$(head -1 "$KB_WORK/reason" 2>/dev/null)
            reason=${reason:-exit code $status}
            say "FAILED $KB_SUITE $name (${seconds} s): $reason"
            suite_result fail "$name" "$seconds" "$reason"
        elif [ -s "$KB_WORK/skipped" ]; then
            skipped=$((skipped + 1))
            say "skip   $KB_SUITE $name: $(cat "$KB_WORK/skipped")"
            suite_result skip "$name" "$seconds" "$(cat "$KB_WORK/skipped")"
        else
            say "ok     $KB_SUITE $name (${seconds} s)"
            suite_result pass "$name" "$seconds" ""
        fi
    done
    [ "$ran" -gt 0 ] || die "no case of $KB_SUITE matches: $*"
    say "$KB_SUITE: $((ran - failed - skipped)) passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}

# Assertions: they say what was looked at, what was wanted and what there is.
assert_eq() { # WHAT WANTED GOT
    [ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
}

assert_contains() { # WHAT FILE TEXT
    grep -qF -- "$3" "$2" ||
        fail "$1: '$3' is not in it; its end: $(tail -c 600 "$2")"
}

assert_lacks() { # WHAT FILE TEXT
    ! grep -qF -- "$3" "$2" || fail "$1: '$3' must not be in it"
}

assert_matches() { # WHAT FILE EXTENDED_REGEX
    grep -qiE -- "$3" "$2" ||
        fail "$1: nothing in it matches /$3/; its end: $(tail -c 600 "$2")"
}

assert_at_most() { # WHAT LIMIT GOT
    [ "$3" -le "$2" ] || fail "$1: at most $2 wanted, got $3"
}
assert_at_least() { # WHAT LIMIT GOT
    [ "$3" -ge "$2" ] || fail "$1: at least $2 wanted, got $3"
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sasl_aws.sh - sasl_aws_msk_iam.so against botocore: the same signatures, the
# same source of credentials; and no going on past a source that fails.
. "$(dirname "$0")/../lib/lib.sh"
KB_NEEDS_PRODUCT=0
PLUGIN=$KB_BUILD/lib/kafka-backup/plugins/sasl_aws_msk_iam.so
PYTHON=$KB_CACHE/botocore-1/bin/python3

suite_setup() {
    [ -x "$PYTHON" ] && "$PYTHON" -c 'import botocore' 2>/dev/null && return 0
    need_packages '/usr/lib/python3*/ensurepip=python3-venv'
    mkdir -p "$KB_CACHE"
    {
        python3 -m venv "$KB_CACHE/botocore-1" &&
            "$PYTHON" -m pip install -q botocore
    } >"$KB_WORK/pip.log" 2>&1 ||
        { tail -5 "$KB_WORK/pip.log" >&2; die "pip could not get botocore"; }
}

check() {
    "$PYTHON" "$KB_LIB/aws_check.py" "$PLUGIN" "$@" >"$KB_WORK/out" 2>&1 ||
        fail "$*: $(tail -5 "$KB_WORK/out")"
    note "$(tail -1 "$KB_WORK/out")"
}

case_signatures_are_those_of_botocore() { check signatures 200; }
case_the_chain_is_that_of_botocore() { check chain; }

suite_main "$@"

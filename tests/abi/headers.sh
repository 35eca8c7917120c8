#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# headers.sh INCLUDE-FOLDER - each installed header by itself, in every language
# that a plugin may be written in, without a warning.
include=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
-Wcast-qual -Wcast-align=strict -Wundef -Wvla -Wformat=2 -Wwrite-strings
-Wnull-dereference -Wimplicit-fallthrough -Wpadded -Wmissing-declarations
-Wredundant-decls -Wdouble-promotion -Wduplicated-cond -Wlogical-op -Werror"
failed=0

for path in "$include"/kafka-backup/*.h "$include"/kafka-backup/draft/*.h; do
    header=${path#"$include"/}
    printf '#include <%s>\n#include <%s>\nint t(void);\nint t(void) { return 0; }\n' \
        "$header" "$header" > h.c
    cp h.c h.cc
    for std in c11 gnu11 c17; do
        # shellcheck disable=SC2086
        ${CC:-cc} -std=$std $warnings -Wstrict-prototypes \
            -Wmissing-prototypes -Wold-style-definition -I"$include" \
            -fsyntax-only h.c || { echo "$header as $std"; failed=1; }
    done
    more="-Wold-style-cast -Wuseless-cast"
    # A macro and the helpers cast as C does.
    case $header in */util.h) more= ;; esac
    for std in c++11 c++14 c++17 c++20; do
        # shellcheck disable=SC2086
        ${CXX:-c++} -std=$std $warnings $more -Wzero-as-null-pointer-constant \
            -I"$include" -fsyntax-only h.cc ||
            { echo "$header as $std"; failed=1; }
    done
done
exit $failed

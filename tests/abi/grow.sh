#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# grow.sh SOURCE BUILD - plugins and hosts of different minor versions work
# together: this build's tests with the plugins of a 1.1 in which every struct
# is longer, and the tests of that host with this build's plugins.
source=$1
build=$2
work=$build/grow # kept: the next run builds only what has changed
mkdir -p "$work" || exit 1
tests="test_codec_formats test_plugin_codec test_plugin_storage
test_storage_retry"
plugins="codec_none codec_gzip codec_snappy codec_lz4 codec_zstd
storage_filesystem storage_memory"
ccache=$(command -v ccache)

set -e
rm -rf "$work/include.new"
python3 "$source/tests/abi/grow.py" "$source/plugins/include" \
    "$work/include.new"
if ! diff -qr "$work/include" "$work/include.new" > "$work/log" 2>&1; then
    rm -rf "$work/include"
    mv "$work/include.new" "$work/include"
fi
# shellcheck disable=SC2086
cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DKB_PLUGIN_INCLUDE_DIR="$work/include" \
    ${ccache:+-DCMAKE_C_COMPILER_LAUNCHER=$ccache} \
    ${ccache:+-DCMAKE_CXX_COMPILER_LAUNCHER=$ccache} > "$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
# shellcheck disable=SC2086
cmake --build "$work/build" -j 2 --target $tests $plugins > "$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
set +e

failed=0
run() # WHAT TEST PLUGINS
{
    if KB_TEST_PLUGINS=$3 "$2" > "$work/log" 2>&1; then
        grep -q 'PASSED.* [1-9][0-9]* test' "$work/log" && return
    fi
    echo "$1: $(basename "$2")"
    cat "$work/log"
    failed=1
}
for test in $tests; do
    run "old host, new plugins" "$build/bin/$test" \
        "$work/build/lib/kafka-backup/plugins"
    run "new host, old plugins" "$work/build/bin/$test" \
        "$build/lib/kafka-backup/plugins"
done
[ $failed = 0 ] && echo "hosts and plugins of 1.0 and 1.1 work together"
exit $failed

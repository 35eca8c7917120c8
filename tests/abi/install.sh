#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# install.sh BUILD - what a vendor does: install to a prefix that wasn't
# configured, build the template there by CMake and by make, and use it.
build=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
umask 022
prefix=$work/prefix

die()
{
    echo "$*"
    [ -f "$work/log" ] && cat "$work/log"
    exit 1
}

cmake --install "$build" --prefix "$prefix" > "$work/log" 2>&1 ||
    die "can't install"
pc=$(find "$prefix" -name kafka-backup-plugin.pc)
[ -n "$pc" ] || die "no pkg-config file is installed"
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
plugins=$(pkg-config --variable=plugindir kafka-backup-plugin)
[ -f "$plugins/codec_none.so" ] || die "plugindir=$plugins has no codec_none.so"
[ -f "$plugins/storage_memory.so" ] && die "a plugin for tests is installed"

template=$prefix/share/kafka-backup/template
cp -r "$template" "$work/by-cmake"
cp -r "$template" "$work/by-make"
(cd "$work/by-cmake" &&
    cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix" &&
    cmake --build build && cp build/codec_acme.so .) > "$work/log" 2>&1 ||
    die "can't build the template by CMake"
(cd "$work/by-make" && CFLAGS="-O2 -Wall -Wextra -Werror" make) \
    > "$work/log" 2>&1 || die "can't build the template by make"

for way in by-cmake by-make; do
    so=$work/$way/codec_acme.so
    [ "$(nm -D --defined-only "$so" | wc -l)" = 1 ] ||
        die "$way: it exports more than one symbol"
    readelf -d "$so" | grep -Eq 'R(UN)?PATH' && die "$way: it has a RUNPATH"
    "$prefix/bin/kafka-backup" plugin check "$so" > "$work/log" 2>&1 ||
        die "$way: plugin check fails"
    "$prefix/bin/kafka-backup" --plugin-dir "$work/$way" plugin describe acme \
        > "$work/log" 2>&1 || die "$way: plugin describe fails"
    grep -q 'what each byte is exchanged by' "$work/log" ||
        die "$way: plugin describe doesn't show the option"
done

# The program finds its own plugins without any flag, wherever it was put.
mv "$prefix" "$work/moved"
"$work/moved/bin/kafka-backup" plugin list > "$work/log" 2>&1 ||
    die "plugin list fails after a move"
grep -q 'codec_zstd.so' "$work/log" || die "its plugins aren't found"
echo "installed, moved, and the template built both ways"

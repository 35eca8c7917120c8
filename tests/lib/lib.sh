# SPDX-License-Identifier: Apache-2.0
# lib.sh - sourced by every suite: brokers, proxy, client, product, asserts.
set -u
KB_LIB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for kb_part in base kafka proxy client kb suite; do
    # shellcheck source=/dev/null
    . "$KB_LIB_DIR/$kb_part.sh"
done
unset kb_part
suite_init

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sasl_older.sh - all of sasl_backup.sh with an older line of brokers.
SASL_KAFKA=${SASL_KAFKA:-3.9.1}
# shellcheck source=/dev/null
. "$(dirname "$0")/sasl_backup.sh"

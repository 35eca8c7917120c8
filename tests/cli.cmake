# SPDX-License-Identifier: Apache-2.0
#
# Tests of the configuration, the command line and the metrics.
kb_unit_test(config LINKS kb_config)

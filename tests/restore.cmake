# SPDX-License-Identifier: Apache-2.0
#
# Tests of host/restore and host/offsets.
kb_unit_test(offset_map LINKS kb_offsets)
kb_unit_test(restore_reconcile LINKS kb_restore)
kb_unit_test(restore_select LINKS kb_restore)

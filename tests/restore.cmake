# SPDX-License-Identifier: Apache-2.0
#
# Tests of host/restore and host/offsets.
kb_unit_test(offset_map LINKS kb_offsets)
kb_unit_test(restore_plan LINKS kb_restore)
kb_unit_test(restore_reconcile LINKS kb_restore)
kb_unit_test(restore_select LINKS kb_restore)

# An archive without a broker to back up; and the engine without the program.
add_executable(make_archive tools/make_archive.cc)
target_link_libraries(make_archive PRIVATE kb_archive kb_kafka kb_flags)
add_executable(restore_runner tools/restore_runner.c)
target_link_libraries(restore_runner PRIVATE kb_restore kb_flags)

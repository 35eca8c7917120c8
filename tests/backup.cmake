# SPDX-License-Identifier: Apache-2.0
kb_unit_test(archive_groups LINKS kb_archive)
kb_unit_test(backup_last LINKS kb_backup)
kb_unit_test(backup_walk LINKS kb_backup)
kb_unit_test(backup_pipe LINKS kb_backup)
kb_unit_test(backup_plan LINKS kb_backup)
kb_fuzz_test(walk LINKS kb_backup CORPUS golden/batches)

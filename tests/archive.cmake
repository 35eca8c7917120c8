# SPDX-License-Identifier: Apache-2.0
kb_unit_test(archive_commit LINKS kb_archive)
kb_unit_test(archive_manifest LINKS kb_archive)
kb_unit_test(archive_lease LINKS kb_archive)
kb_unit_test(archive_names LINKS kb_archive)
kb_unit_test(archive_reader LINKS kb_archive)
kb_unit_test(archive_restore_state LINKS kb_archive)
kb_unit_test(archive_segment LINKS kb_archive)
kb_unit_test(verify LINKS kb_verify)

kb_fuzz_test(manifest LINKS kb_archive
  CORPUS golden/format-2/nightly/manifest)
kb_fuzz_test(segment LINKS kb_archive CORPUS golden/format-2/nightly/segments)

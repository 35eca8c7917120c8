# SPDX-License-Identifier: Apache-2.0
kb_unit_test(archive_segment LINKS kb_archive)

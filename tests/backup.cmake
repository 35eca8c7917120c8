# SPDX-License-Identifier: Apache-2.0
kb_unit_test(archive_groups LINKS kb_archive)

# SPDX-License-Identifier: Apache-2.0
kb_unit_test(codec_formats LINKS kb_plugin)
kb_unit_test(plugin_codec LINKS kb_plugin)
kb_unit_test(plugin_storage LINKS kb_plugin)

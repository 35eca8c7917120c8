# SPDX-License-Identifier: Apache-2.0
kb_unit_test(base_bytes LINKS kb_base)
kb_unit_test(base_flow LINKS kb_base)
kb_unit_test(base_text LINKS kb_base)
kb_unit_test(codec_formats LINKS kb_plugin)
kb_unit_test(plugin_codec LINKS kb_plugin)
kb_unit_test(plugin_storage LINKS kb_plugin)
kb_unit_test(storage_retry LINKS kb_plugin)

kb_unit_test(storage_filesystem LINKS kb_plugin)

# Its write() and fsync() stand in for libc's in the plugin it loads.
kb_unit_test(storage_disk LINKS kb_plugin)
set_target_properties(test_storage_disk PROPERTIES ENABLE_EXPORTS ON)

add_subdirectory(museum)
kb_unit_test(plugin_museum LINKS kb_plugin)
target_compile_definitions(test_plugin_museum PRIVATE
  KB_MUSEUM_DIR="${CMAKE_BINARY_DIR}/museum")

kb_fuzz_test(codec LINKS kb_plugin)

add_subdirectory(abi)

# The checks hunt for leaks and crashes by themselves.
if(NOT KB_SANITIZE)
  kb_unit_test(plugin_check LINKS kb_check)
  target_compile_definitions(test_plugin_check PRIVATE
    KB_MUSEUM_DIR="${CMAKE_BINARY_DIR}/museum")
  # Its malloc() stands in for libc's.
  kb_unit_test(plugin_oom LINKS kb_plugin)
  set_target_properties(test_plugin_oom PROPERTIES ENABLE_EXPORTS ON)
endif()

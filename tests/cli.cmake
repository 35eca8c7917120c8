# SPDX-License-Identifier: Apache-2.0
#
# Tests of the configuration, the command line and the metrics.
kb_unit_test(config LINKS kb_config)
kb_unit_test(metrics LINKS kb_metrics)
kb_unit_test(args LINKS kb_cli)

find_program(KB_MANDOC mandoc)
if(KB_MANDOC)
  add_test(NAME lint.man-page
    COMMAND "${KB_MANDOC}" -Tlint -Werror
            "${PROJECT_SOURCE_DIR}/docs/kafka-backup.1")
  set_tests_properties(lint.man-page PROPERTIES LABELS lint)
endif()

kb_fuzz_test(config LINKS kb_config CORPUS unit/config)

find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME cli
    COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/cli/test_cli.py"
            "$<TARGET_FILE:kafka-backup>")
  set_tests_properties(cli PROPERTIES LABELS cli TIMEOUT 300)
endif()

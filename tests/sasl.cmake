# SPDX-License-Identifier: Apache-2.0
#
# Tests of the SASL plugins: loaded as a host does, and by their parts.
find_package(OpenSSL 3.0 REQUIRED)
set(sasl_dir "${PROJECT_SOURCE_DIR}/sasl")

# kb_sasl_test(stem [SOURCES file...] [LINKS library...]), of plugin <stem>
function(kb_sasl_test stem)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  kb_unit_test(${stem} SOURCES ${arg_SOURCES}
    LINKS KafkaBackup::Plugin ${arg_LINKS} ${CMAKE_DL_LIBS})
  add_dependencies(test_${stem} ${stem})
endfunction()

kb_sasl_test(sasl_plain)
kb_sasl_test(sasl_scram
  SOURCES ${sasl_dir}/scram/scram.c ${sasl_dir}/common/sasl_text.c
          ${sasl_dir}/common/sasl_base64.c
  LINKS OpenSSL::Crypto)

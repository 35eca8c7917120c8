# SPDX-License-Identifier: Apache-2.0
#
# Fuzz targets: tests/fuzz/fuzz_<stem>.c with its corpus in
# tests/fuzz/corpus/<stem>.  With KB_FUZZ each is a libFuzzer program; else one
# that runs the corpus, cut and changed, as a CTest labelled "fuzz".

# kb_fuzz_test(stem [SOURCES file...] [LINKS library...] [CORPUS directory...]
#              [DEFINES name=value...])
function(kb_fuzz_test stem)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;CORPUS;DEFINES" ${ARGN})
  add_executable(fuzz_${stem} fuzz/fuzz_${stem}.c ${arg_SOURCES})
  target_link_libraries(fuzz_${stem} PRIVATE ${arg_LINKS} kb_flags)
  target_compile_definitions(fuzz_${stem} PRIVATE
    KB_TEST_PLUGIN_DIR="${KB_BUILD_PLUGIN_DIR}" ${arg_DEFINES})
  if(KB_FUZZ)
    target_link_options(fuzz_${stem} PRIVATE -fsanitize=fuzzer)
    set_target_properties(fuzz_${stem} PROPERTIES ENABLE_EXPORTS ON)
    return()
  endif()
  target_sources(fuzz_${stem} PRIVATE fuzz/driver.c)
  set(corpus "")
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${stem})
    set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${stem})
  endif()
  foreach(more ${arg_CORPUS})
    list(APPEND corpus ${CMAKE_CURRENT_SOURCE_DIR}/${more})
  endforeach()
  add_test(NAME fuzz.${stem} COMMAND fuzz_${stem} ${corpus})
  set_tests_properties(fuzz.${stem} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()

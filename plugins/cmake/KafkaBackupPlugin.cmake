# SPDX-License-Identifier: Apache-2.0
#
# kafka_backup_add_plugin(NAME SOURCES file... [LINKS library...])
#
# Builds NAME.so as kafka-backup wants a plugin: a module that exports one
# symbol, leaves none undefined, and carries no RUNPATH.  The target is NAME.
function(kafka_backup_add_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  set(map "${KafkaBackupPlugin_MAP}")
  add_library(${name} MODULE ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
    BUILD_RPATH "" INSTALL_RPATH "" SKIP_BUILD_RPATH ON
    LINK_DEPENDS "${map}")
  target_link_libraries(${name} PRIVATE KafkaBackup::Plugin ${arg_LINKS})
  target_link_options(${name} PRIVATE
    "-Wl,--version-script=${map}" -Wl,-z,relro,-z,now,-z,noexecstack
    -Wl,--exclude-libs,ALL)
  if(NOT CMAKE_C_FLAGS MATCHES "-fsanitize" AND NOT KB_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
endfunction()

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

if(NOT TARGET KafkaBackup::Plugin)
  # Within kafka-backup's own tree.
  add_library(kafka_backup_plugin_headers INTERFACE)
  add_library(KafkaBackup::Plugin ALIAS kafka_backup_plugin_headers)
  set(KB_PLUGIN_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../include" CACHE PATH
    "The plugin headers; tests/abi/grow.sh has others")
  target_include_directories(kafka_backup_plugin_headers INTERFACE
    "${KB_PLUGIN_INCLUDE_DIR}")
  set(KafkaBackupPlugin_MAP "${CMAKE_CURRENT_LIST_DIR}/../plugin.map")
endif()

# A plugin of this project: our warnings, our folder in the build, installed.
function(kb_plugin name)
  kafka_backup_add_plugin(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE kb_flags)
  set_target_properties(${name} PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY "${KB_BUILD_PLUGIN_DIR}")
  install(TARGETS ${name}
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/kafka-backup/plugins"
    COMPONENT plugins)
endfunction()

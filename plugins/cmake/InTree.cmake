# SPDX-License-Identifier: Apache-2.0
#
# KafkaBackup::Plugin and kb_plugin() within kafka-backup's own tree; vendors
# have KafkaBackupPluginConfig.cmake instead.
include("${CMAKE_CURRENT_LIST_DIR}/KafkaBackupPlugin.cmake")

add_library(kafka_backup_plugin_headers INTERFACE)
add_library(KafkaBackup::Plugin ALIAS kafka_backup_plugin_headers)
set(KB_PLUGIN_INCLUDE_DIR "${CMAKE_CURRENT_LIST_DIR}/../include" CACHE PATH
  "The plugin headers; tests/abi/grow.sh has others")
target_include_directories(kafka_backup_plugin_headers INTERFACE
  "${KB_PLUGIN_INCLUDE_DIR}")
set(KafkaBackupPlugin_MAP "${CMAKE_CURRENT_LIST_DIR}/../plugin.map")

# A plugin of this project: our warnings, our folder in the build, installed;
# a component of its own, so that one can be packaged alone.
function(kb_plugin name)
  kafka_backup_add_plugin(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE kb_flags)
  set_target_properties(${name} PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY "${KB_BUILD_PLUGIN_DIR}")
  install(TARGETS ${name}
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/kafka-backup/plugins"
    COMPONENT ${name})
endfunction()

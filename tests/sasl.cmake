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

if(TARGET sasl_gssapi)
  # One CTest for all of them, as they share a KDC.
  add_executable(test_sasl_gssapi unit/sasl_gssapi.cc
    ${sasl_dir}/gssapi/gssapi_layer.c ${sasl_dir}/gssapi/gssapi_cred.c
    ${sasl_dir}/gssapi/gssapi_error.c ${sasl_dir}/common/sasl_gate.c
    ${sasl_dir}/common/sasl_text.c)
  target_link_libraries(test_sasl_gssapi PRIVATE KafkaBackup::Plugin
    PkgConfig::KRB5 Threads::Threads ${CMAKE_DL_LIBS} GTest::gtest_main kb_flags)
  target_compile_definitions(test_sasl_gssapi PRIVATE
    KB_TEST_PLUGIN_DIR="${KB_BUILD_PLUGIN_DIR}")
  add_dependencies(test_sasl_gssapi sasl_gssapi)
  add_test(NAME sasl_gssapi COMMAND test_sasl_gssapi)
  set_tests_properties(sasl_gssapi PROPERTIES LABELS unit TIMEOUT 120)
  kb_unit_test(plugin_export LINKS kb_plugin)
  add_dependencies(test_plugin_export sasl_gssapi)
endif()

if(TARGET sasl_oauthbearer)
  # As on ARM; the plugin itself is as this machine has it.
  set_source_files_properties(${sasl_dir}/oauthbearer/oauth_message.c
    PROPERTIES COMPILE_OPTIONS -funsigned-char)
  kb_sasl_test(sasl_oauthbearer
    SOURCES ${sasl_dir}/oauthbearer/oauth_message.c
            ${sasl_dir}/common/sasl_text.c ${sasl_dir}/common/sasl_base64.c
            ${sasl_dir}/common/sasl_json.c
    LINKS PkgConfig::JANSSON Threads::Threads)
endif()

if(TARGET sasl_aws_msk_iam)
  kb_sasl_test(sasl_aws_msk_iam
    SOURCES ${sasl_dir}/common/sasl_text.c ${sasl_dir}/common/sasl_base64.c
    LINKS Threads::Threads)
  kb_unit_test(sasl_aws_parts
    SOURCES ${sasl_dir}/aws_msk_iam/msk_message.c ${sasl_dir}/aws/aws_sigv4.c
            ${sasl_dir}/aws/aws_keys.c ${sasl_dir}/aws/aws_profile.c
            ${sasl_dir}/common/sasl_text.c ${sasl_dir}/common/sasl_file.c
            ${sasl_dir}/common/sasl_base64.c ${sasl_dir}/common/sasl_json.c
    LINKS KafkaBackup::Plugin PkgConfig::JANSSON OpenSSL::Crypto
          ${CMAKE_DL_LIBS})
endif()

if(TARGET sasl_aws_msk_iam AND TARGET sasl_oauthbearer)
  set(sasl_renew oauthbearer/oauth_token.c oauthbearer/oauth_oidc.c
    oauthbearer/oauth_message.c aws/aws_keys.c aws/aws_sigv4.c aws/aws_profile.c
    aws/aws_source.c aws/aws_chain.c aws/aws_sts.c aws/aws_remote.c
    common/sasl_gate.c common/sasl_bound.c common/sasl_http.c
    common/sasl_spawn.c common/sasl_json.c common/sasl_base64.c
    common/sasl_text.c common/sasl_file.c common/sasl_login.c)
  list(TRANSFORM sasl_renew PREPEND ${sasl_dir}/)
  kb_unit_test(sasl_renew SOURCES ${sasl_renew}
    LINKS KafkaBackup::Plugin PkgConfig::CURL PkgConfig::JANSSON OpenSSL::Crypto
          Threads::Threads ${CMAKE_DL_LIBS})
  target_compile_definitions(test_sasl_renew PRIVATE KB_HURRY_MS=1000)
  add_dependencies(test_sasl_renew sasl_oauthbearer)
endif()

# The plugins by the bar that vendors have: nothing fails, nothing is left out.
function(kb_sasl_check name)
  if(TARGET ${name})
    add_test(NAME ${name}.conformance
      COMMAND kafka-backup plugin check $<TARGET_FILE:${name}> ${ARGN})
    set_tests_properties(${name}.conformance PROPERTIES LABELS plugin
      TIMEOUT 120 FAIL_REGULAR_EXPRESSION "\nskip;\nwarn"
      ENVIRONMENT "AWS_REGION=eu-west-1")
  endif()
endfunction()
kb_sasl_check(sasl_plain)
kb_sasl_check(sasl_scram)
kb_sasl_check(sasl_oauthbearer --set sasl_oauthbearer_token=abcdef
  --set sasl_oauthbearer_token_command=)
kb_sasl_check(sasl_aws_msk_iam --set sasl_aws_access_key_id=AKIA)

include(sasl_fuzz.cmake)

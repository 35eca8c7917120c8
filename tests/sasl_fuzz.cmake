# SPDX-License-Identifier: Apache-2.0
#
# Fuzz targets of the SASL plugins: their parsers, and whole handshakes.
set(sasl_common ${sasl_dir}/common)
set(sasl_login ${sasl_common}/sasl_text.c ${sasl_common}/sasl_file.c
  ${sasl_common}/sasl_login.c)

kb_fuzz_test(sasl_plain
  SOURCES ${sasl_dir}/plain/sasl_plain.c ${sasl_login}
  LINKS KafkaBackup::Plugin DEFINES KB_PLUGIN_VERSION="fuzz")

# So few iterations that the time goes into the parser.
kb_fuzz_test(sasl_scram
  SOURCES ${sasl_dir}/scram/scram.c ${sasl_common}/sasl_text.c
          ${sasl_common}/sasl_base64.c
  LINKS KafkaBackup::Plugin OpenSSL::Crypto
  DEFINES KB_SCRAM_ITERATIONS_MAX=4200u)

if(TARGET sasl_gssapi)
  kb_fuzz_test(sasl_gssapi
    SOURCES ${sasl_dir}/gssapi/sasl_gssapi.c ${sasl_dir}/gssapi/gssapi_cred.c
            ${sasl_dir}/gssapi/gssapi_error.c
            ${sasl_dir}/gssapi/gssapi_layer.c ${sasl_common}/sasl_gate.c
            ${sasl_login}
    LINKS KafkaBackup::Plugin PkgConfig::KRB5 Threads::Threads
    DEFINES KB_PLUGIN_VERSION="fuzz")
endif()

if(TARGET sasl_oauthbearer)
  set(sasl_fetch ${sasl_common}/sasl_gate.c ${sasl_common}/sasl_bound.c
    ${sasl_common}/sasl_http.c ${sasl_common}/sasl_spawn.c
    ${sasl_common}/sasl_json.c
    ${sasl_common}/sasl_base64.c ${sasl_login})
  kb_fuzz_test(sasl_oauthbearer
    SOURCES ${sasl_dir}/oauthbearer/sasl_oauthbearer.c
            ${sasl_dir}/oauthbearer/oauth_message.c
            ${sasl_dir}/oauthbearer/oauth_token.c
            ${sasl_dir}/oauthbearer/oauth_oidc.c ${sasl_fetch}
    LINKS KafkaBackup::Plugin PkgConfig::CURL PkgConfig::JANSSON
          Threads::Threads
    DEFINES KB_PLUGIN_VERSION="fuzz")
  kb_fuzz_test(sasl_aws
    SOURCES ${sasl_dir}/aws_msk_iam/msk_message.c ${sasl_dir}/aws/aws_sigv4.c
            ${sasl_dir}/aws/aws_keys.c ${sasl_dir}/aws/aws_profile.c
            ${sasl_common}/sasl_text.c ${sasl_common}/sasl_file.c
            ${sasl_common}/sasl_base64.c ${sasl_common}/sasl_json.c
    LINKS KafkaBackup::Plugin PkgConfig::JANSSON OpenSSL::Crypto)
endif()

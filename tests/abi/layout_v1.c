/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout_v1.c - where each member of ABI 1.0 lies on LP64.
 *
 * What stands here never changes; members that are appended get lines of their
 * own, so a struct is at least as large as is said here.
 */
#include <kafka-backup/codec.h>
#include <kafka-backup/sasl.h>
#include <kafka-backup/storage.h>

#define SZ(type, size)                                                   \
    _Static_assert(sizeof(void *) != 8 || sizeof(struct type) >= (size), \
                   "the size of " #type)
#define AT(type, member, at)                                  \
    _Static_assert(sizeof(void *) != 8 ||                     \
                       offsetof(struct type, member) == (at), \
                   #type "." #member)

SZ(kbp_error, 1040);
AT(kbp_error, struct_size, 0);
AT(kbp_error, status, 4);
AT(kbp_error, native, 8);
AT(kbp_error, retry_after_ms, 12);
AT(kbp_error, message, 16);
AT(kbp_error, hint, 528);
SZ(kbp_host, 72);
AT(kbp_host, struct_size, 0);
AT(kbp_host, abi_major, 4);
AT(kbp_host, abi_minor, 6);
AT(kbp_host, data, 8);
AT(kbp_host, name, 16);
AT(kbp_host, version, 24);
AT(kbp_host, log_level, 32);
AT(kbp_host, reserved, 36);
AT(kbp_host, log, 40);
AT(kbp_host, cancelled, 48);
AT(kbp_host, time_left_ms, 56);
AT(kbp_host, get_service, 64);
SZ(kbp_sink, 40);
AT(kbp_sink, struct_size, 0);
AT(kbp_sink, reserved, 4);
AT(kbp_sink, data, 8);
AT(kbp_sink, limit, 16);
AT(kbp_sink, reserve, 24);
AT(kbp_sink, commit, 32);
SZ(kbp_option, 56);
AT(kbp_option, name, 0);
AT(kbp_option, default_value, 8);
AT(kbp_option, help, 16);
AT(kbp_option, type, 24);
AT(kbp_option, flags, 28);
AT(kbp_option, choices, 32);
AT(kbp_option, kafka_name, 40);
AT(kbp_option, export_env, 48);
SZ(kbp_options, 16);
AT(kbp_options, items, 0);
AT(kbp_options, count, 8);
AT(kbp_options, item_size, 12);
SZ(kbp_setting, 24);
AT(kbp_setting, name, 0);
AT(kbp_setting, value, 8);
AT(kbp_setting, value_len, 16);
SZ(kbp_config, 24);
AT(kbp_config, struct_size, 0);
AT(kbp_config, count, 4);
AT(kbp_config, items, 8);
AT(kbp_config, item_size, 16);
AT(kbp_config, reserved, 20);
SZ(kbp_extension, 24);
AT(kbp_extension, struct_size, 0);
AT(kbp_extension, reserved, 4);
AT(kbp_extension, id, 8);
AT(kbp_extension, table, 16);
SZ(kbp_abi, 16);
AT(kbp_abi, magic, 0);
AT(kbp_abi, abi_major, 4);
AT(kbp_abi, abi_minor, 6);
AT(kbp_abi, struct_size, 8);
AT(kbp_abi, needs_minor, 12);
AT(kbp_abi, libc, 14);
SZ(kbp_module, 72);
AT(kbp_module, abi, 0);
AT(kbp_module, name, 16);
AT(kbp_module, version, 24);
AT(kbp_module, vendor, 32);
AT(kbp_module, license, 40);
AT(kbp_module, sasl, 48);
AT(kbp_module, storage, 56);
AT(kbp_module, codec, 64);
SZ(kbp_codec_type, 112);
AT(kbp_codec_type, struct_size, 0);
AT(kbp_codec_type, flags, 4);
AT(kbp_codec_type, name, 8);
AT(kbp_codec_type, summary, 16);
AT(kbp_codec_type, options, 24);
AT(kbp_codec_type, extensions, 40);
AT(kbp_codec_type, suffix, 48);
AT(kbp_codec_type, kafka_id, 56);
AT(kbp_codec_type, segment_id, 60);
AT(kbp_codec_type, open, 64);
AT(kbp_codec_type, close, 72);
AT(kbp_codec_type, session_open, 80);
AT(kbp_codec_type, session_close, 88);
AT(kbp_codec_type, compress, 96);
AT(kbp_codec_type, decompress, 104);
SZ(kbp_sasl_peer, 48);
AT(kbp_sasl_peer, struct_size, 0);
AT(kbp_sasl_peer, flags, 4);
AT(kbp_sasl_peer, host, 8);
AT(kbp_sasl_peer, address, 16);
AT(kbp_sasl_peer, port, 24);
AT(kbp_sasl_peer, reserved, 28);
AT(kbp_sasl_peer, tls_server_end_point, 32);
AT(kbp_sasl_peer, tls_server_end_point_len, 40);
SZ(kbp_sasl_type, 120);
AT(kbp_sasl_type, struct_size, 0);
AT(kbp_sasl_type, flags, 4);
AT(kbp_sasl_type, name, 8);
AT(kbp_sasl_type, summary, 16);
AT(kbp_sasl_type, options, 24);
AT(kbp_sasl_type, extensions, 40);
AT(kbp_sasl_type, mechanism, 48);
AT(kbp_sasl_type, aliases, 56);
AT(kbp_sasl_type, open, 64);
AT(kbp_sasl_type, close, 72);
AT(kbp_sasl_type, session_open, 80);
AT(kbp_sasl_type, session_close, 88);
AT(kbp_sasl_type, step, 96);
AT(kbp_sasl_type, explain, 104);
AT(kbp_sasl_type, lifetime_ms, 112);
SZ(kbp_storage_info, 32);
AT(kbp_storage_info, struct_size, 0);
AT(kbp_storage_info, flags, 4);
AT(kbp_storage_info, max_object_bytes, 8);
AT(kbp_storage_info, upload_memory, 16);
AT(kbp_storage_info, max_uploads, 24);
AT(kbp_storage_info, reserved, 28);
SZ(kbp_object, 40);
AT(kbp_object, struct_size, 0);
AT(kbp_object, flags, 4);
AT(kbp_object, key, 8);
AT(kbp_object, size, 16);
AT(kbp_object, modified_ms, 24);
AT(kbp_object, etag, 32);
SZ(kbp_upload_request, 32);
AT(kbp_upload_request, struct_size, 0);
AT(kbp_upload_request, flags, 4);
AT(kbp_upload_request, key, 8);
AT(kbp_upload_request, if_etag, 16);
AT(kbp_upload_request, size_hint, 24);
SZ(kbp_commit, 24);
AT(kbp_commit, struct_size, 0);
AT(kbp_commit, flags, 4);
AT(kbp_commit, size, 8);
AT(kbp_commit, crc32c, 16);
AT(kbp_commit, reserved, 20);
SZ(kbp_get_request, 40);
AT(kbp_get_request, struct_size, 0);
AT(kbp_get_request, flags, 4);
AT(kbp_get_request, key, 8);
AT(kbp_get_request, if_etag, 16);
AT(kbp_get_request, offset, 24);
AT(kbp_get_request, len, 32);
SZ(kbp_list_request, 24);
AT(kbp_list_request, struct_size, 0);
AT(kbp_list_request, flags, 4);
AT(kbp_list_request, prefix, 8);
AT(kbp_list_request, after, 16);
SZ(kbp_storage_type, 176);
AT(kbp_storage_type, struct_size, 0);
AT(kbp_storage_type, flags, 4);
AT(kbp_storage_type, name, 8);
AT(kbp_storage_type, summary, 16);
AT(kbp_storage_type, options, 24);
AT(kbp_storage_type, extensions, 40);
AT(kbp_storage_type, schemes, 48);
AT(kbp_storage_type, open, 56);
AT(kbp_storage_type, close, 64);
AT(kbp_storage_type, info, 72);
AT(kbp_storage_type, session_open, 80);
AT(kbp_storage_type, session_close, 88);
AT(kbp_storage_type, upload_open, 96);
AT(kbp_storage_type, upload_write, 104);
AT(kbp_storage_type, upload_commit, 112);
AT(kbp_storage_type, upload_close, 120);
AT(kbp_storage_type, get, 128);
AT(kbp_storage_type, stat, 136);
AT(kbp_storage_type, list, 144);
AT(kbp_storage_type, remove, 152);
AT(kbp_storage_type, copy, 160);
AT(kbp_storage_type, sweep, 168);

/* The prologue, of every version there will be. */
_Static_assert(sizeof(struct kbp_abi) == 16, "kbp_abi is frozen");

int main(void)
{
    return 0;
}

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""grow.py HEADERS OUT: the headers of an ABI 1.1 in which every struct that
crosses has grown, for grow.sh."""
import pathlib
import shutil
import sys

GROWN = {
    "plugin.h": {
        "kbp_option": "const char *since_1_1;",
        "kbp_setting": "uint64_t since_1_1;",
        "kbp_config": "uint64_t since_1_1;",
        "kbp_host": "int32_t (*since_1_1)(const struct kbp_host *host);",
        "kbp_sink": "int32_t (*since_1_1)(struct kbp_sink *sink);",
        "kbp_error": "uint64_t since_1_1;",
        "kbp_module": "const void *const *since_1_1;",
        "kbp_extension": "uint64_t since_1_1;",
    },
    "codec.h": {"kbp_codec_type": None},
    "sasl.h": {"kbp_sasl_type": None, "kbp_sasl_peer": None},
    "storage.h": {
        "kbp_storage_type": None, "kbp_storage_info": None,
        "kbp_object": None, "kbp_upload_request": None, "kbp_commit": None,
        "kbp_get_request": None, "kbp_list_request": None,
    },
}


def append(text, struct, member):
    begin = text.index("struct %s {" % struct)
    end = text.index("\n};", begin)
    return text[:end] + "\n    " + member + text[end:]


def main():
    source, out = map(pathlib.Path, sys.argv[1:])
    shutil.copytree(source, out)
    for name, structs in GROWN.items():
        path = out / "kafka-backup" / name
        text = path.read_text()
        if name == "plugin.h":
            old = "#define KBP_ABI_MINOR 0 "
            assert old in text, "the minor version is another now: mend me"
            text = text.replace(old, "#define KBP_ABI_MINOR 1 ")
        for struct, member in structs.items():
            text = append(text, struct,
                          member or "int32_t (*since_1_1)(void);")
        path.write_text(text)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""log_end.py TOPIC PARTITION HOST:PORT... - prints where a partition ends, as
its leader among these brokers says (0 if none does). Fast: it is asked again
and again while something runs. ListOffsets v1 is known from 2.1 to 4.x."""
import socket
import struct
import sys


def ask(address, topic, partition):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 3) as s:
        s.settimeout(3)
        # key 2, version 1, correlation 7, client id; no replica, one topic
        body = struct.pack(">hhih5siih", 2, 1, 7, 5, b"probe", -1, 1,
                           len(topic))
        body += topic + struct.pack(">iiq", 1, partition, -1)
        s.sendall(struct.pack(">i", len(body)) + body)
        answer = s.makefile("rb")
        size = struct.unpack(">i", answer.read(4))[0]
        data = answer.read(size)
    pos = 4 + 4 + 2 + len(topic) + 4 + 4  # up to the partition's error
    error, _, offset = struct.unpack_from(">hqq", data, pos)
    return offset if not error else 0


def main():
    topic, partition = sys.argv[1].encode(), int(sys.argv[2])
    most = 0
    for address in sys.argv[3:]:
        try:
            most = max(most, ask(address, topic, partition))
        except (OSError, struct.error):
            pass
    print(most)


if __name__ == "__main__":
    main()

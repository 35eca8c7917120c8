#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""probe.py HOST:PORT BROKERS - exit 0 when a broker's metadata names that
many brokers, itself among them, and a controller. One Metadata v4 request,
which Kafka 2.1 to 4.x all answer."""
import socket
import struct
import sys


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    want = int(sys.argv[2])
    with socket.create_connection((host, int(port)), 3) as s:
        s.settimeout(3)
        # key 3, version 4, correlation 7, client id; no topics; no creation
        body = struct.pack(">hhih5siB", 3, 4, 7, 5, b"probe", 0, 0)
        s.sendall(struct.pack(">i", len(body)) + body)
        answer = s.makefile("rb")
        size = struct.unpack(">i", answer.read(4))[0]
        data = answer.read(size)
    pos = 8  # correlation, throttle time
    count = struct.unpack_from(">i", data, pos)[0]
    pos += 4
    listed = False
    for _ in range(count):
        pos += 4  # node id
        pos += 2 + struct.unpack_from(">h", data, pos)[0]  # host
        listed |= struct.unpack_from(">i", data, pos)[0] == int(port)
        pos += 4
        pos += 2 + max(0, struct.unpack_from(">h", data, pos)[0])  # rack
    pos += 2 + max(0, struct.unpack_from(">h", data, pos)[0])  # cluster id
    controller = struct.unpack_from(">i", data, pos)[0]
    return 0 if listed and count >= want and controller >= 0 else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, struct.error) as e:
        sys.exit("not ready: %s" % e)

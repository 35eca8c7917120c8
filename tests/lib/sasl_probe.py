#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sasl_probe.py - drives a SASL plugin against a real broker, without our host.

    sasl_probe.py PLUGIN.so TYPE HOST:PORT [NAME=VALUE...]
        [--reauth COUNT] [--gap SECONDS] [--linger SECONDS] [--token] [--spn HOST]

It loads the plugin by ctypes, carries its bytes in SaslHandshake 1 and
SaslAuthenticate 1, and then asks for a delegation token, whose answer says as
whom the broker knows us.  --reauth does it again that often on the same
connection, with requests in between; --linger asks once more after that long
without (a broker ends the session then); --token prints the token.
"""
import argparse
import base64
import ctypes as C
import socket
import struct
import sys
import time

OK, CONTINUE, DONE = 0, 1, 2
TLS, REAUTH = 1, 2
INT64_MAX = (1 << 63) - 1


class Error(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("status", C.c_int32),
                ("native", C.c_int32), ("retry_after_ms", C.c_uint32),
                ("message", C.c_char * 512), ("hint", C.c_char * 512)]

    def text(self):
        return "%d %s | %s" % (self.status, self.message.decode(),
                               self.hint.decode())


class Host(C.Structure):
    pass


LOG = C.CFUNCTYPE(None, C.POINTER(Host), C.c_int32, C.c_char_p)
CANCELLED = C.CFUNCTYPE(C.c_int32, C.POINTER(Host))
TIME_LEFT = C.CFUNCTYPE(C.c_int64, C.POINTER(Host))
SERVICE = C.CFUNCTYPE(C.c_void_p, C.POINTER(Host), C.c_char_p)
Host._fields_ = [("struct_size", C.c_uint32), ("abi_major", C.c_uint16),
                 ("abi_minor", C.c_uint16), ("data", C.c_void_p),
                 ("name", C.c_char_p), ("version", C.c_char_p),
                 ("log_level", C.c_int32), ("reserved", C.c_uint32),
                 ("log", LOG), ("cancelled", CANCELLED),
                 ("time_left_ms", TIME_LEFT), ("get_service", SERVICE)]


class Sink(C.Structure):
    pass


RESERVE = C.CFUNCTYPE(C.c_int32, C.POINTER(Sink), C.c_size_t, C.c_size_t,
                      C.POINTER(C.c_void_p), C.POINTER(C.c_size_t))
COMMIT = C.CFUNCTYPE(None, C.POINTER(Sink), C.c_size_t)
Sink._fields_ = [("struct_size", C.c_uint32), ("reserved", C.c_uint32),
                 ("data", C.c_void_p), ("limit", C.c_uint64),
                 ("reserve", RESERVE), ("commit", COMMIT)]


class Option(C.Structure):
    _fields_ = [("name", C.c_char_p), ("default_value", C.c_char_p),
                ("help", C.c_char_p), ("type", C.c_uint32),
                ("flags", C.c_uint32), ("choices", C.c_char_p),
                ("kafka_name", C.c_char_p), ("export_env", C.c_char_p)]


class Options(C.Structure):
    _fields_ = [("items", C.POINTER(Option)), ("count", C.c_uint32),
                ("item_size", C.c_uint32)]


class Setting(C.Structure):
    _fields_ = [("name", C.c_char_p), ("value", C.c_char_p),
                ("value_len", C.c_size_t)]


class Config(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("count", C.c_uint32),
                ("items", C.POINTER(Setting)), ("item_size", C.c_uint32),
                ("reserved", C.c_uint32)]


class Peer(C.Structure):
    _fields_ = [("struct_size", C.c_uint32), ("flags", C.c_uint32),
                ("host", C.c_char_p), ("address", C.c_char_p),
                ("port", C.c_uint32), ("reserved", C.c_uint32),
                ("tls_server_end_point", C.c_void_p),
                ("tls_server_end_point_len", C.c_size_t)]


ERR = C.POINTER(Error)


class Type(C.Structure):
    _fields_ = [
        ("struct_size", C.c_uint32), ("flags", C.c_uint32),
        ("name", C.c_char_p), ("summary", C.c_char_p), ("options", Options),
        ("extensions", C.c_void_p), ("mechanism", C.c_char_p),
        ("aliases", C.POINTER(C.c_char_p)),
        ("open", C.CFUNCTYPE(C.c_int32, C.POINTER(Host), C.POINTER(Config),
                             C.POINTER(C.c_void_p), ERR)),
        ("close", C.CFUNCTYPE(None, C.c_void_p)),
        ("session_open", C.CFUNCTYPE(C.c_int32, C.c_void_p, C.POINTER(Host),
                                     C.POINTER(Peer), C.POINTER(C.c_void_p),
                                     ERR)),
        ("session_close", C.CFUNCTYPE(None, C.c_void_p)),
        ("step", C.CFUNCTYPE(C.c_int32, C.c_void_p, C.c_void_p, C.c_size_t,
                             C.POINTER(Sink), C.POINTER(C.c_int32), ERR)),
        ("explain", C.CFUNCTYPE(C.c_int32, C.c_void_p, C.c_int32, C.c_char_p,
                                C.c_size_t, ERR)),
        ("lifetime_ms", C.CFUNCTYPE(C.c_int64, C.c_void_p))]


class Module(C.Structure):
    _fields_ = [("abi", C.c_uint32 * 4), ("name", C.c_char_p),
                ("version", C.c_char_p), ("vendor", C.c_char_p),
                ("license", C.c_char_p), ("sasl", C.POINTER(C.POINTER(Type))),
                ("storage", C.c_void_p), ("codec", C.c_void_p)]


class Failed(Exception):
    pass


def new_host():
    host = Host(C.sizeof(Host), 1, 0, None, b"probe", b"0", 4, 0)
    host.log = LOG(lambda h, level, text: print("log", level, text.decode()))
    host.cancelled = CANCELLED(lambda h: 0)
    host.time_left_ms = TIME_LEFT(lambda h: 30000)
    host.get_service = SERVICE(lambda h, name: None)
    return host


class Out:
    """A sink that keeps what it gets."""

    def __init__(self):
        self.bytes, self.room = b"", None
        self.sink = Sink(C.sizeof(Sink), 0, None, 256 * 1024)
        self.sink.reserve = RESERVE(self.reserve)
        self.sink.commit = COMMIT(self.commit)

    def reserve(self, sink, least, wish, room, room_len):
        size = max(least, wish, 1)
        if len(self.bytes) + size > 256 * 1024:
            return -7
        self.room = C.create_string_buffer(size)
        room[0] = C.addressof(self.room)
        room_len[0] = size
        return OK

    def commit(self, sink, used):
        self.bytes += self.room.raw[:used]


class Mechanism:
    def __init__(self, path, name, settings):
        module = Module.in_dll(C.CDLL(path), "kafka_backup_plugin")
        index = 0
        while module.sasl[index]:
            self.type = module.sasl[index].contents
            names = [self.type.name.decode()]
            while self.type.aliases and self.type.aliases[len(names) - 1]:
                names.append(self.type.aliases[len(names) - 1].decode())
            if name in names:
                break
            index += 1
        else:
            raise Failed("%s offers no %s" % (path, name))
        self.wire = (self.type.mechanism or self.type.name).decode()
        options = self.type.options
        values = {options.items[i].name: options.items[i].default_value
                  for i in range(options.count)}
        for key, value in settings.items():
            if key.encode() not in values:
                raise Failed("no such option: " + key)
            values[key.encode()] = value.encode()
        items = [Setting(k, v, len(v)) for k, v in values.items() if v]
        array = (Setting * len(items))(*items)
        config = Config(C.sizeof(Config), len(items), array,
                        C.sizeof(Setting), 0)
        self.host, self.handle, err = new_host(), C.c_void_p(), new_error()
        if self.type.open(self.host, config, C.byref(self.handle), err):
            raise Failed("open: " + err.text())

    def close(self):
        self.type.close(self.handle)


def new_error():
    return Error(C.sizeof(Error))


class Connection:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.host, self.port = host, int(port)
        self.socket = socket.create_connection((host, self.port), 20)
        self.socket.settimeout(60)
        self.id = 0

    def take(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise Failed("the broker closed the connection")
            data += part
        return data

    def call(self, api, version, body):
        self.id += 1
        head = struct.pack(">hhih5s", api, version, self.id, 5, b"probe")
        try:
            self.socket.sendall(struct.pack(">i", len(head + body)) + head + body)
            answer = self.take(struct.unpack(">i", self.take(4))[0])
        except OSError as e:
            raise Failed("the connection broke: %s" % e)
        if struct.unpack(">i", answer[:4])[0] != self.id:
            raise Failed("an answer to another request")
        return answer[4:]

    def authenticate(self, mechanism, flags, name):
        """The broker's session and the credentials' lifetime, in ms."""
        t, host, err = mechanism.type, new_host(), new_error()
        peer = Peer(C.sizeof(Peer), flags, name.encode(), b"127.0.0.1",
                    self.port, 0, None, 0)
        wire, session = mechanism.wire.encode(), C.c_void_p()
        if t.session_open(mechanism.handle, host, peer, C.byref(session), err):
            raise Failed("session: " + err.text())
        try:
            answer = self.call(17, 1, struct.pack(">h", len(wire)) + wire)
            if struct.unpack(">h", answer[:2])[0]:
                raise Failed("handshake refused with %d, it offers %s" % (
                    struct.unpack(">h", answer[:2])[0], strings(answer[2:])))
            return self.steps(t, session, err)
        finally:
            t.session_close(session)

    def steps(self, t, session, err):
        answer, life, state = None, 0, C.c_int32()
        while True:
            out = Out()
            data = answer and (C.c_char * len(answer)).from_buffer_copy(answer)
            empty = C.create_string_buffer(1)
            at = None if answer is None else C.addressof(data or empty)
            if t.step(session, at, len(answer or b""), out.sink,
                      C.byref(state), err):
                raise Failed("step: " + err.text())
            if state.value == DONE:
                return life, t.lifetime_ms(session) if t.lifetime_ms else -1
            reply = self.call(36, 1, struct.pack(">i", len(out.bytes)) + out.bytes)
            code, text_len = struct.unpack(">hh", reply[:4])
            text = reply[4:4 + max(text_len, 0)]
            if code:
                t.explain(session, code, text, len(text), err)
                raise Failed("explain: " + err.text())
            rest = reply[4 + max(text_len, 0):]
            size = struct.unpack(">i", rest[:4])[0]
            answer = rest[4:4 + size]
            life = struct.unpack(">q", rest[4 + size:12 + size])[0]

    def token(self):
        """As whom the broker knows us, and a delegation token."""
        a = self.call(38, 1, struct.pack(">iq", 0, 600000))
        code = struct.unpack(">h", a[:2])[0]
        kind, rest = string(a[2:])
        name, rest = string(rest)
        number, rest = string(rest[24:])
        size = struct.unpack(">i", rest[:4])[0]
        return code, "%s:%s" % (kind, name), number, rest[4:4 + size]


def string(data):
    size = struct.unpack(">h", data[:2])[0]
    return data[2:2 + size].decode(), data[2 + size:]


def strings(data):
    found, rest = [], data[4:]
    for _ in range(struct.unpack(">i", data[:4])[0]):
        one, rest = string(rest)
        found.append(one)
    return ",".join(sorted(found))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("plugin")
    p.add_argument("type")
    p.add_argument("broker")
    p.add_argument("settings", nargs="*")
    p.add_argument("--reauth", type=int, default=0)
    p.add_argument("--gap", type=float, default=1.5)
    p.add_argument("--linger", type=float, default=0)
    p.add_argument("--token", action="store_true")
    p.add_argument("--spn", help="the broker's name, if another")
    a = p.parse_intermixed_args()
    settings = dict(s.split("=", 1) for s in a.settings)
    mechanism = Mechanism(a.plugin, a.type, settings)
    c = Connection(a.broker)
    name = a.spn or c.host
    began = time.monotonic()
    life, credentials = c.authenticate(mechanism, 0, name)
    code, who, number, key = c.token()
    print("authenticated %s session %d credentials %d" % (who, life, credentials))
    if a.token:
        if code:
            raise Failed("no delegation token: error %d" % code)
        print("token %s %s" % (number, base64.b64encode(key).decode()))
    for i in range(a.reauth):
        end = time.monotonic() + a.gap
        while time.monotonic() < end:
            c.token()
            time.sleep(0.2)
        life, credentials = c.authenticate(mechanism, REAUTH, name)
        print("again %d %s session %d credentials %d after %.1f s" % (
            i + 1, c.token()[1], life, credentials, time.monotonic() - began))
    if a.linger:
        time.sleep(a.linger)
        print("still %s" % c.token()[1])
    mechanism.close()


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        print("failed " + str(failure))
        sys.exit(1)

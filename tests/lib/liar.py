#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""liar.py USER PASSWORD PORT:LIE... - brokers that do SASL wrongly, each in one
way; a real one can't be made to.  All else is as it should be: `honest` lets
clients in.

What happens is printed, a line each: "LIE asked API", "LIE sent BYTES",
"LIE in" (a request after the SASL exchange: the client believes it is
authenticated).
"""
import base64
import hashlib
import hmac
import os
import socket
import struct
import sys
import threading
import time

VERSIONS, HANDSHAKE, AUTHENTICATE = 18, 17, 36
APIS = ((0, 3, 11), (1, 4, 16), (2, 1, 8), (3, 1, 12), (17, 0, 1), (18, 0, 3),
        (36, 0, 1))
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI",
              "OAUTHBEARER")
ENDLESS = 100 << 20


def b64(data):
    return base64.b64encode(data).decode()


def text(value):
    return struct.pack(">h", len(value)) + value


def answer(token, code=0, message=None, length=None, session=60000):
    """The body of SaslAuthenticate 1."""
    said = struct.pack(">h", -1) if message is None else text(message)
    size = len(token) if length is None else length
    return (struct.pack(">h", code) + said + struct.pack(">i", size) + token
            + struct.pack(">q", session))


class Hung(Exception):
    pass


class Scram:
    """RFC 5802's server, with the lie at its place."""

    def __init__(self, lie, name):
        self.lie = lie
        self.hash = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}[name]
        self.first = None

    def mac(self, key, data):
        return hmac.new(key, data, self.hash).digest()

    def step(self, data):
        if self.first is None:
            bare = data.decode().split(",", 2)[2]
            nonce = bare.split(",r=")[1].split(",")[0]
            new = {"nonce-not-extended": nonce,
                   "nonce-of-another": "somebodyelses" + nonce}.get(
                       self.lie, nonce + b64(os.urandom(12)))
            count = {"many-iterations": 20000000000,
                     "too-many-iterations": 1000001,
                     "one-iteration": 1}.get(self.lie, 4096)
            salt = {"no-salt": b""}.get(self.lie, b"saltsaltsalt")
            self.first = bare, "r=%s,s=%s,i=%d" % (new, b64(salt), count)
            if self.lie == "final-at-once":
                return b"v=" + base64.b64encode(b"x" * 32)
            return self.first[1].encode()
        if self.lie == "same-again":
            return self.first[1].encode()
        without = data.decode().rsplit(",p=", 1)[0]
        salted = hashlib.pbkdf2_hmac(self.hash, PASSWORD.encode(),
                                     b"saltsaltsalt", 4096)
        signed = self.mac(self.mac(salted, b"Server Key"), ",".join(
            (self.first[0], self.first[1], without)).encode())
        if self.lie == "signature-wrong":
            signed = bytes([signed[0] ^ 1]) + signed[1:]
        if self.lie == "signature-short":
            signed = signed[:-1]
        return b"v=" + base64.b64encode(signed)


class Peer:
    def __init__(self, lie, sock):
        self.lie, self.sock = lie, sock
        self.steps = 0
        self.mechanism = self.scram = None

    def say(self, *words):
        print(self.lie, *words, flush=True)

    def take(self, size):
        data = b""
        while len(data) < size:
            part = self.sock.recv(size - len(data))
            if not part:
                raise Hung()
            data += part
        return data

    def send(self, frame):
        self.sock.sendall(struct.pack(">i", len(frame)) + frame)

    def wait_for_end(self):
        while self.sock.recv(65536):
            pass
        raise Hung()

    def flood(self, correlation):
        """A challenge of 100 MB; says how much of it was taken."""
        sent = 0
        body = answer(b"", length=ENDLESS)[:8]
        self.sock.sendall(struct.pack(">ii", ENDLESS + 20, correlation) + body)
        try:
            while sent < ENDLESS:
                sent += self.sock.send(b"x" * 65536)
        finally:
            self.say("sent", sent)

    def drip(self, frame):
        for byte in struct.pack(">i", len(frame)) + frame + b"\0" * 1000:
            self.sock.sendall(bytes([byte]))
            time.sleep(0.5)

    def authenticate(self, correlation, data):
        self.steps += 1
        head = struct.pack(">i", correlation)
        lie = self.lie
        if lie == "closes":
            raise Hung()
        if lie == "closes-later" and self.steps == 2:
            raise Hung()
        if lie == "says-nothing":
            self.wait_for_end()
        if lie == "success-at-once":
            return self.send(head + answer(b""))
        if lie == "goes-on-asking":
            return self.send(head + answer(b"go on %d" % self.steps))
        if lie == "challenge-of-100-mb":
            return self.flood(correlation)
        if lie == "length-of-100-mb":
            return self.send(head + answer(b"x", length=ENDLESS))
        if lie == "garbage":
            return self.send(head + answer(os.urandom(64)))
        if lie == "another-answer":
            return self.send(struct.pack(">i", correlation + 1) + answer(b""))
        if lie == "error-that-paints":
            return self.send(head + answer(
                b"", 58, b"no\n\x1b[31m2026-01-01 ERROR \x1b]0;all is well\x07"))
        if lie == "drips":
            return self.drip(head + answer(b"x" * 900))
        if not self.scram:
            return self.send(head + answer(b""))
        if self.steps == 3 and lie == "signature-empty":
            return self.send(head + answer(b""))
        token = self.scram.step(data)
        if self.steps == 2 and lie == "signature-empty":
            token = b""
        return self.send(head + answer(token))

    def handshake(self, correlation, body):
        size = struct.unpack(">h", body[:2])[0]
        self.mechanism = body[2:2 + size].decode()
        if self.mechanism.startswith("SCRAM"):
            self.scram = Scram(self.lie, self.mechanism)
        names = b"".join(text(name.encode()) for name in MECHANISMS)
        code, count = 0, len(MECHANISMS)
        if self.lie == "offers-without-end":
            code, count, names = 33, 0x7fffffff, text(b"PLAIN")
        self.send(struct.pack(">ihi", correlation, code, count) + names)

    def serve(self):
        while True:
            frame = self.take(struct.unpack(">i", self.take(4))[0])
            api, version, correlation, id_len = struct.unpack(">hhih", frame[:10])
            body = frame[10 + max(id_len, 0):]
            self.say("asked", api)
            if api == VERSIONS and version == 0 and not self.steps:
                self.send(struct.pack(">ihi", correlation, 0, len(APIS))
                          + b"".join(struct.pack(">hhh", *a) for a in APIS))
            elif api == HANDSHAKE:
                self.handshake(correlation, body)
            elif api == AUTHENTICATE:
                size = struct.unpack(">i", body[:4])[0]
                self.authenticate(correlation, body[4:4 + size])
            else:
                self.say("in")
                return

    def run(self):
        try:
            self.serve()
        except (Hung, OSError):
            pass
        finally:
            self.sock.close()


def accept(lie, server):
    while True:
        sock, _ = server.accept()
        threading.Thread(target=Peer(lie, sock).run, daemon=True).start()


USER, PASSWORD = sys.argv[1:3]
for pair in sys.argv[3:]:
    port, name = pair.split(":")
    threading.Thread(target=accept, args=(
        name, socket.create_server(("127.0.0.1", int(port)))),
        daemon=True).start()
print("ready", flush=True)
threading.Event().wait()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""proxy.py CONTROL_PORT LISTEN:UPSTREAM... - a TCP proxy that knows Kafka's
frames well enough to hold back, swallow or cut the answers of chosen requests.

It changes no byte but where `edit` says so. A broker behind it must advertise the proxy's port.
Commands are lines on the control port, each answered with one line:

  swallow API [N]       the next N answers never reach the client (default 1)
  cut API [N] [BYTES]   close the connection at the answer, after the broker
                        did the work; BYTES of the answer still get through
  refuse API [N]        close the connection at the request, which the broker
                        never sees
  edit API HEX HEX [N]  put the second bytes in place of the first ones, as
                        many, in answers (N default: all from now on)
  delay API MS [N]      hold answers back (N default: all from now on)
  rate BYTES            limit bytes per second, both directions; 0 ends it
  stall on|off          nothing passes, connections stay open
  accept on|off         off: new connections are closed at once
  drop                  close every connection now
  reset                 forget all rules, stall, rate
  stats                 counts as JSON

API is a name of API_KEYS, a number, or "any".
"""
import asyncio
import json
import struct
import sys

API_KEYS = {
    "produce": 0, "fetch": 1, "list_offsets": 2, "metadata": 3,
    "offset_commit": 8, "offset_fetch": 9, "find_coordinator": 10,
    "api_versions": 18, "create_topics": 19, "delete_topics": 20,
    "delete_records": 21, "init_producer_id": 22, "describe_configs": 32,
    "alter_configs": 33, "create_partitions": 37,
    "incremental_alter_configs": 44, "describe_producers": 61,
}
NAMES = {number: name for name, number in API_KEYS.items()}
CHUNK = 1 << 16


class Rule:
    def __init__(self, action, api, count, value=0):
        self.action, self.api = action, api
        self.count, self.value = count, value  # of `edit`: (before, after)

    def matches(self, api):
        return self.count != 0 and self.api in (-1, api)


class State:
    def __init__(self):
        self.rules = []
        self.writers = set()
        self.rate = 0
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.accepting = True
        self.requests, self.answers, self.hits = {}, {}, {}
        self.connections = 0

    def take(self, actions, api):
        """The first rule that applies, counted down, or None."""
        for rule in self.rules:
            if rule.action in actions and rule.matches(api):
                if rule.count > 0:
                    rule.count -= 1
                self.hits[rule.action] = self.hits.get(rule.action, 0) + 1
                return rule
        return None

    def reset(self):
        self.rules = []
        self.rate = 0
        self.flowing.set()
        self.accepting = True

    def command(self, words):
        def api():
            name = words[1]
            if name == "any":
                return -1
            return API_KEYS[name] if name in API_KEYS else int(name)

        def number(index, default):
            return int(words[index]) if len(words) > index else default

        verb = words[0]
        if verb in ("swallow", "refuse"):
            self.rules.append(Rule(verb, api(), number(2, 1)))
        elif verb == "cut":
            self.rules.append(Rule(verb, api(), number(2, 1), number(3, 0)))
        elif verb == "delay":
            self.rules.append(Rule(verb, api(), number(3, -1), int(words[2])))
        elif verb == "edit":
            edit = bytes.fromhex(words[2]), bytes.fromhex(words[3])
            if len(edit[0]) != len(edit[1]):
                raise ValueError("not as many bytes")
            self.rules.append(Rule(verb, api(), number(4, -1), edit))
        elif verb == "rate":
            self.rate = int(words[1])
        elif verb == "stall":
            if words[1] == "on":
                self.flowing.clear()
            else:
                self.flowing.set()
        elif verb == "accept":
            self.accepting = words[1] == "on"
        elif verb == "drop":
            for writer in list(self.writers):
                writer.transport.abort()
        elif verb == "reset":
            self.reset()
        elif verb == "stats":
            return json.dumps({
                "connections": self.connections, "open": len(self.writers),
                "requests": self.requests, "answers": self.answers,
                "hits": self.hits})
        else:
            return "error: unknown command " + verb
        return "ok"


class Link:
    """One client connection and the one to the broker that serves it."""

    def __init__(self, state, reader, writer, up_reader, up_writer):
        self.state = state
        self.client = (reader, writer)
        self.broker = (up_reader, up_writer)
        self.waiting = []  # (correlation id, api), in order of the requests

    async def copy(self, reader, writer, size):
        while size:
            data = await reader.read(min(size, CHUNK))
            if not data:
                raise ConnectionError("end in the middle of a frame")
            size -= len(data)
            await self.send(writer, data)

    async def send(self, writer, data):
        await self.state.flowing.wait()
        if self.state.rate:
            await asyncio.sleep(len(data) / self.state.rate)
        writer.write(data)
        await writer.drain()

    async def requests(self):
        reader, writer = self.client[0], self.broker[1]
        while True:
            head = await reader.readexactly(4)
            size = struct.unpack(">i", head)[0]
            first = await reader.readexactly(min(8, size))
            api, correlation = -2, 0
            if len(first) == 8:
                api, _, correlation = struct.unpack(">hhi", first)
            name = NAMES.get(api, str(api))
            count = self.state.requests
            count[name] = count.get(name, 0) + 1
            if self.state.take(("refuse",), api):
                raise ConnectionError("refused by a rule")
            self.waiting.append((correlation, api))
            await self.send(writer, head + first)
            await self.copy(reader, writer, size - len(first))

    async def answers(self):
        reader, writer = self.broker[0], self.client[1]
        while True:
            head = await reader.readexactly(4)
            size = struct.unpack(">i", head)[0]
            first = await reader.readexactly(min(4, size))
            correlation = int.from_bytes(first, "big", signed=True)
            api = -2
            while self.waiting:
                number, api = self.waiting.pop(0)
                if number == correlation:
                    break
            name = NAMES.get(api, str(api))
            count = self.state.answers
            count[name] = count.get(name, 0) + 1
            rest = size - len(first)
            rule = self.state.take(("delay",), api)
            if rule:
                await asyncio.sleep(rule.value / 1000)
            edits = [r for r in self.state.rules
                     if r.action == "edit" and r.matches(api)]
            if edits:
                whole = first + await reader.readexactly(rest)
                for rule in edits:
                    rule.count -= rule.count > 0
                    whole = whole.replace(*rule.value)
                await self.send(writer, head + whole)
                continue
            rule = self.state.take(("swallow", "cut"), api)
            if not rule:
                await self.send(writer, head + first)
                await self.copy(reader, writer, rest)
                continue
            whole = head + first
            if rule.action == "cut":
                whole += await reader.readexactly(rest)
                await self.send(writer, whole[:rule.value])
                raise ConnectionError("cut by a rule")
            while rest:
                rest -= len(await reader.readexactly(min(rest, CHUNK)))

    async def run(self):
        tasks = [asyncio.ensure_future(self.requests()),
                 asyncio.ensure_future(self.answers())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def serve_client(state, upstream, reader, writer):
    state.connections += 1
    if not state.accepting:
        writer.transport.abort()
        return
    state.writers.add(writer)
    up_writer = None
    try:
        up_reader, up_writer = await asyncio.open_connection(
            "127.0.0.1", upstream, limit=1 << 20)
        state.writers.add(up_writer)
        await Link(state, reader, writer, up_reader, up_writer).run()
    except OSError:
        pass
    finally:
        for each in (writer, up_writer):
            if each:
                state.writers.discard(each)
                each.close()


async def serve_control(state, reader, writer):
    while True:
        line = await reader.readline()
        words = line.decode().split()
        if not line:
            break
        if words:
            try:
                answer = state.command(words)
            except (IndexError, KeyError, ValueError) as e:
                answer = "error: %r in %r" % (e, line)
            writer.write((answer + "\n").encode())
            await writer.drain()
    writer.close()


async def main():
    state = State()

    def client_server(upstream):
        async def on_connect(reader, writer):
            await serve_client(state, upstream, reader, writer)
        return on_connect

    async def on_control(reader, writer):
        await serve_control(state, reader, writer)

    for pair in sys.argv[2:]:
        listen, upstream = (int(x) for x in pair.split(":"))
        await asyncio.start_server(client_server(upstream), "127.0.0.1",
                                   listen, limit=1 << 20)
    control = await asyncio.start_server(on_control, "127.0.0.1",
                                         int(sys.argv[1]))
    await control.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass

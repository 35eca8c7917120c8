#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program from outside: stdout, stderr, exit code.  Needs no broker.

    test_cli.py PROGRAM [unittest arguments]
"""
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = ""
CANARY = "c4n4ry-p4ssw0rd"


def run(*args, stdin=None, env=None, timeout=60):
    full = {k: v for k, v in os.environ.items()
            if not k.startswith("KAFKA_BACKUP")}
    full.update(env or {})
    done = subprocess.run([PROGRAM, *args], input=stdin, env=full,
                          capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout, done.stderr


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="kb-cli-test-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def backup_yaml(self, server, more=""):
        return self.file("b.yaml", "mode: backup\nbackup_id: b1\n"
                         f"source: {{bootstrap_servers: [\"{server}\"]{more}}}\n"
                         "storage: {backend: filesystem, path: "
                         f"\"{self.dir}/store\"}}\n")


class Usage(Case):
    def test_help_is_a_result(self):
        code, out, err = run("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("Usage: kafka-backup COMMAND", out)
        for command in ("backup", "restore", "validate-restore", "list",
                        "describe", "validate", "show-offset-mapping",
                        "status", "plugin list", "plugin describe",
                        "plugin check"):
            self.assertIn(f"\n  {command} ", out)
            code, help_text, err = run(*command.split(), "--help")
            self.assertEqual((code, err), (0, ""), command)
            self.assertIn(f"Usage: kafka-backup {command} ", help_text)
            self.assertIn("Examples:", help_text)

    def test_version(self):
        code, out, _ = run("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^kafka-backup \d+\.\d+\.\d+\n$")

    def test_wrong_usage_is_2_and_says_nothing_on_stdout(self):
        for words, said in (
                ((), "a command is missing"),
                (("bakcup",), "did you mean backup?"),
                (("backup",), "backup needs --config FILE"),
                (("list", "--paht", "x"), "did you mean --path?"),
                (("describe", "-p", "x", "-f", "toml", "-b", "y"),
                 "has to be one of text|json|yaml"),
                (("plugin", "list", "extra"), "takes no \"extra\"")):
            code, out, err = run(*words)
            self.assertEqual((code, out), (2, ""), words)
            self.assertIn(said, err)
            self.assertIn("See: kafka-backup", err)

    def test_stdout_that_is_full_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "plugin", "list"], stdout=full,
                                  stderr=subprocess.PIPE, text=True,
                                  timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("couldn't be written", done.stderr)

    def test_closed_pipe_is_no_crash(self):
        ends = os.pipe()
        os.close(ends[0])
        done = subprocess.run([PROGRAM, "config-reference"], stdout=ends[1],
                              stderr=subprocess.PIPE, timeout=60, check=False)
        os.close(ends[1])
        self.assertEqual(done.returncode, 1)


class Configuration(Case):
    def test_all_errors_with_their_lines(self):
        path = self.file("bad.yaml", "mode: backup\nbackup_id: x\nsource:\n"
                         "  bootstrap_servers: [\"a:1\"]\n  topcis: {}\n"
                         "storage: {backend: filesystem, path: /b}\n"
                         "backup: {compression_level: 99}\n")
        code, out, err = run("backup", "-c", path)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f"{path}:5: source.topcis: unknown key; did you mean "
                      "\"topics\"?", err)
        self.assertIn(f"{path}:7: backup.compression_level: has to be from 1 "
                      "to 22, found \"99\"", err)
        self.assertIn("2 errors in the configuration", err)

    def test_wrong_mode(self):
        path = self.backup_yaml("127.0.0.1:1")
        for command in ("restore", "validate-restore"):
            code, _, err = run(command, "-c", path)
            self.assertEqual(code, 1)
            self.assertIn("is for a backup (mode: backup)", err)

    def test_file_that_is_not_there(self):
        code, _, err = run("backup", "-c", "/no/such.yaml")
        self.assertEqual(code, 1)
        self.assertIn("can't read the configuration /no/such.yaml: No such "
                      "file or directory", err)

    def test_from_stdin(self):
        code, _, err = run("backup", "-c", "-", stdin="mode: bad\n")
        self.assertEqual(code, 1)
        self.assertIn("-:1: mode: has to be one of backup|restore", err)

    def test_warnings_as_json_lines(self):
        path = self.backup_yaml("127.0.0.1:1")
        with open(path, "a", encoding="utf-8") as out:
            out.write("offset_storage: {db_path: x}\n"
                      "backup: {include_offset_headers: true}\n"
                      "restore: {skip_damagd: true}\n")
        code, out, err = run("backup", "-c", path, "--log-format", "json")
        self.assertEqual((code, out), (1, ""))
        lines = [json.loads(line) for line in err.splitlines()]
        self.assertTrue(all({"time", "level", "message"} <= line.keys()
                            for line in lines))
        said = [(line["level"], line["message"]) for line in lines]
        self.assertTrue(any(level == "warn" and "offset_storage" in text
                            for level, text in said), said)
        self.assertTrue(any(level == "error" and "skip_damagd" in text
                            for level, text in said), said)

    def test_unset_variable(self):
        path = self.file("v.yaml", "mode: ${KB_NOT_SET}\n")
        code, _, err = run("backup", "-c", path)
        self.assertEqual(code, 1)
        self.assertIn("KB_NOT_SET is not set", err)

    def test_setting_of_the_store_names_file_and_line(self):
        path = self.file("s.yaml", "mode: backup\nbackup_id: x\nsource: "
                         "{bootstrap_servers: [\"a:1\"]}\nstorage:\n"
                         "  backend: filesystem\n  path: /b\n  pathh: /c\n")
        code, _, err = run("list", "-c", path)
        self.assertEqual(code, 1)
        self.assertIn(f"{path}:7: storage ", err)
        self.assertIn("pathh", err)
        self.assertIn("did you mean path?", err)

    def test_unknown_backend_and_codec(self):
        path = self.file("s.yaml", "mode: backup\nbackup_id: x\nsource: "
                         "{bootstrap_servers: [\"a:1\"]}\n"
                         "storage: {backend: floppy}\n")
        code, _, err = run("backup", "-c", path)
        self.assertEqual(code, 1)
        self.assertIn("no plugin for storage backend \"floppy\"", err)
        self.assertIn("storage_floppy.so", err)
        path = self.backup_yaml("127.0.0.1:1")
        with open(path, "a", encoding="utf-8") as out:
            out.write("backup: {compression: middle-out}\n")
        code, _, err = run("backup", "-c", path)
        self.assertEqual(code, 1)
        self.assertIn("no plugin for codec \"middle-out\"", err)


class Plugins(Case):
    def test_list(self):
        code, out, err = run("plugin", "list")
        self.assertEqual((code, err), (0, ""))
        for name in ("zstd", "lz4", "filesystem"):
            self.assertRegex(out, rf"(?m)^\w+ +{name} ")
        code, out, _ = run("plugin", "list", "-f", "json")
        self.assertEqual(code, 0)
        types = {t["name"] for f in json.loads(out) for t in f.get("types", [])}
        self.assertLessEqual({"zstd", "filesystem", "PLAIN"}, types)

    def test_describe(self):
        code, out, _ = run("plugin", "describe", "filesystem")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"\n  path  \(path, required\)")
        code, out, _ = run("plugin", "describe", "zstd", "-f", "json")
        self.assertEqual(json.loads(out)[0]["kind"], "codec")
        code, out, err = run("plugin", "describe", "filesystm")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("did you mean filesystem?", err)

    def test_directory_without_plugins(self):
        code, out, _ = run("plugin", "list", "--plugin-dir", self.dir)
        self.assertEqual(code, 0)
        self.assertEqual(out, f"No plugins in {self.dir}\n")
        code, _, err = run("list", "-p", self.dir, "--plugin-dir", self.dir)
        self.assertEqual(code, 1)
        self.assertIn(f"looked for storage_filesystem.so in {self.dir}", err)

    def test_file_that_is_no_plugin(self):
        path = self.file("codec_text.so", "not an ELF file\n")
        code, out, err = run("plugin", "check", path)
        self.assertEqual((code, err), (4, ""))
        self.assertIn("can't be loaded", out)
        code, out, _ = run("plugin", "list", "--plugin-dir", self.dir)
        self.assertEqual(code, 0)
        self.assertRegex(out, r"codec_text\.so +can't be used: ")

    def test_checks_are_listed_without_a_file(self):
        code, out, err = run("plugin", "check", "--list")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("round-trip", out)
        code, out, err = run("plugin", "check")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("plugin check needs a FILE", err)

    def test_environment_names_directories(self):
        code, out, _ = run("plugin", "list",
                           env={"KAFKA_BACKUP_PLUGIN_DIR": self.dir})
        self.assertEqual((code, out), (0, f"No plugins in {self.dir}\n"))


class Stores(Case):
    def test_memory_store_is_warned_of(self):
        path = self.file("m.yaml", "mode: backup\nbackup_id: m\nsource: "
                         "{bootstrap_servers: ['127.0.0.1:1'], connection: "
                         "{connect_timeout: 100ms}}\n"
                         "storage: {backend: memory}\n")
        code, _, err = run("backup", "-c", path)
        self.assertEqual(code, 1)
        self.assertEqual(err.count("memory is for tests"), 1)
        self.assertIn("WARN  storage.backend memory is for tests", err)
        path = self.file("f.yaml", "mode: backup\nbackup_id: m\nsource: "
                         "{bootstrap_servers: ['127.0.0.1:1'], connection: "
                         "{connect_timeout: 100ms}}\nstorage: "
                         "{backend: filesystem, path: %s}\n" % self.dir)
        code, _, err = run("backup", "-c", path)
        self.assertNotIn("is for tests", err)

    def test_empty_store(self):
        code, out, err = run("list", "-p", self.dir)
        self.assertEqual((code, out, err), (0, "No backups found.\n", ""))
        code, out, _ = run("list", "-p", self.dir, "-f", "json")
        self.assertEqual((code, json.loads(out)), (0, []))
        code, out, _ = run("list", "-p", "file://" + self.dir)
        self.assertEqual((code, out), (0, "No backups found.\n"))

    def test_backup_that_is_not_there(self):
        for command in ("describe", "validate", "status",
                        "show-offset-mapping"):
            code, out, err = run(command, "-p", self.dir, "-b", "none")
            self.assertEqual((code, out), (1, ""), command)
            self.assertIn("there is no such backup", err)

    def test_flag_of_the_reference_without_meaning_is_warned_of(self):
        db = os.path.join(self.dir, "offsets.db")
        code, _, err = run("status", "-p", self.dir, "-b", "none",
                           "--db-path", db)
        self.assertEqual(code, 1)
        self.assertIn("--db-path has no effect: there is no offset store", err)
        self.assertIn("there is no such backup", err)
        self.assertFalse(os.path.exists(db))

    # Every other flag of the reference's (0.17.4) commands is one here.
    def test_flags_of_the_reference_are_taken(self):
        for line in ("backup --config x", "backup -c x", "restore --config x",
                     "restore -c x", "list --path x", "list -p x",
                     "list -p x --backup-id b", "list -p x -b b",
                     "status --path x --backup-id b", "status -p x -b b",
                     "status --config x --watch --interval 2", "status -c x",
                     "validate --path x --backup-id b --deep",
                     "validate -p x -b b",
                     "describe --path x --backup-id b --format text",
                     "describe -p x -b b -f json", "describe -p x -b b -f yaml",
                     "validate-restore --config x --format text",
                     "validate-restore -c x -f json",
                     "validate-restore -c x -f yaml",
                     "show-offset-mapping --path x --backup-id b",
                     "show-offset-mapping -p x -b b --format text",
                     "show-offset-mapping -p x -b b -f json",
                     "show-offset-mapping -p x -b b -f yaml",
                     "show-offset-mapping -p x -b b -f csv",
                     "-v list -p x", "--verbose list -p x", "list -vv -p x"):
            code, _, err = run(*line.split())
            self.assertEqual(code, 1, line + ": " + err)

    # Nor reads what it has read: the log's first entry is damaged meanwhile.
    def test_watching_reads_only_what_is_new(self):
        golden = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "..", "golden", "format-2", "nightly")
        store = os.path.join(self.dir, "nightly")
        shutil.copytree(golden, store)
        watching = subprocess.Popen(
            [PROGRAM, "status", "-p", self.dir, "-b", "nightly", "--watch",
             "--interval", "100ms"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(watching.stdout.close)
        try:
            seen = [watching.stdout.readline()]
            while seen[0] not in seen[1:]:
                seen.append(watching.stdout.readline())
            first = sorted(os.listdir(os.path.join(store, "manifest")))[0]
            self.file("nightly/manifest/" + first, "damaged")
            for _ in range(3 * (len(seen) - 1)):
                self.assertTrue(watching.stdout.readline())
            watching.terminate()
            self.assertIn(watching.wait(20), (0, 5))
        finally:
            watching.kill()
            watching.wait()
        self.assertIn("32 records", "".join(seen))
        self.assertEqual(run("status", "-p", self.dir, "-b", "nightly")[0], 4)

    def test_looking_makes_nothing(self):
        path = os.path.join(self.dir, "new")
        code, _, err = run("list", "-p", path)
        self.assertEqual(code, 1)
        self.assertIn(f"there is no folder {path}", err)
        self.assertFalse(os.path.exists(path))

    def test_archive_of_format_1_is_named(self):
        os.mkdir(os.path.join(self.dir, "old"))
        self.file("old/manifest.json", json.dumps(
            {"backup_id": "old", "created_at": 1, "source_cluster_id": None,
             "source_brokers": [], "compression": "zstd", "topics": []}))
        code, _, err = run("describe", "-p", self.dir, "-b", "old")
        self.assertEqual(code, 1)
        self.assertIn("format 1", err)

    def test_option_has_to_be_a_pair(self):
        code, _, err = run("list", "-p", self.dir, "-o", "word")
        self.assertEqual(code, 2)
        self.assertIn("--option has to be NAME=VALUE", err)


class Server:
    """A TCP server that answers each connection with `say(socket)`."""

    def __init__(self, say):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.say = say
        self.kept = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.kept.append(connection)
            threading.Thread(target=self.say, args=(connection,),
                             daemon=True).start()

    def close(self):
        self.socket.close()
        for connection in self.kept:
            connection.close()


class Brokers(Case):
    quick = ", connection: {connect_timeout: 1s}"

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        path = self.backup_yaml(f"127.0.0.1:{port}", self.quick)
        code, out, err = run("backup", "-c", path)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(f"127.0.0.1:{port}", err)
        self.assertRegex(err, "(?i)refused")

    def test_what_answers_is_no_broker(self):
        def http(connection):
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        server = Server(http)
        self.addCleanup(server.close)
        path = self.backup_yaml(server.address, self.quick)
        code, out, err = run("backup", "-c", path)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(server.address, err)
        self.assertRegex(err, "(?i)kafka")

    def silent(self):
        def wait(connection):
            while connection.recv(4096):
                pass

        server = Server(wait)
        self.addCleanup(server.close)
        return self.backup_yaml(server.address,
                                ", connection: {connect_timeout: 30s}")

    def start(self, path, *more):
        return subprocess.Popen([PROGRAM, "backup", "-c", path, *more],
                                stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def test_first_signal_ends_cleanly(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            running = self.start(self.silent())
            time.sleep(0.7)
            before = time.monotonic()
            running.send_signal(number)
            _, err = running.communicate(timeout=20)
            self.assertEqual(running.returncode, 5, err)
            self.assertLess(time.monotonic() - before, 5)

    def test_second_signal_ends_at_once(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            # It reads its configuration, which doesn't come.
            running = subprocess.Popen([PROGRAM, "backup", "-c", "-"],
                                       stdin=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            running.send_signal(number)
            time.sleep(0.3)
            self.assertIsNone(running.poll())
            running.send_signal(number)
            self.assertEqual(running.wait(timeout=10), code)
            running.stdin.close()

    def test_no_secret_in_core_dump_log_or_error(self):
        path = self.file("secret.yaml", "mode: backup\nbackup_id: x\n"
                         "source:\n  bootstrap_servers: [\"127.0.0.1:1\"]\n"
                         "  security:\n    security_protocol: SASL_PLAINTEXT\n"
                         "    sasl_mechanism: PLAIN\n    sasl_username: u\n"
                         "    sasl_password: ${KB_TEST_PW}\n"
                         "  connection: {connect_timeout: 1s}\n"
                         "storage: {backend: filesystem, path: "
                         f"\"{self.dir}/store\"}}\n")
        code, out, err = run("backup", "-c", path, "-vv",
                             env={"KB_TEST_PW": CANARY})
        self.assertEqual(code, 1)
        self.assertNotIn(CANARY, out + err)
        # Its memory isn't readable: /proc/PID/mem is root's then.
        server = self.silent()
        with open(server, encoding="utf-8") as text:
            address = re.search(r"127\.0\.0\.1:\d+", text.read()).group()
        with open(path, encoding="utf-8") as text:
            changed = text.read().replace("127.0.0.1:1\"", address + "\"")
        changed = changed.replace("1s", "30s")
        running = subprocess.Popen(
            [PROGRAM, "backup", "-c", self.file("s2.yaml", changed)],
            env={**os.environ, "KB_TEST_PW": CANARY},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.7)
        limits = resource.prlimit(running.pid, resource.RLIMIT_CORE)
        running.kill()
        running.wait()
        self.assertEqual(limits[0], 0)
        # In error texts the variable's name stands for it.
        path = self.file("e.yaml", "mode: backup\nmetrics:\n"
                         "  port: ${KB_TEST_PW}\n")
        code, out, err = run("backup", "-c", path, env={"KB_TEST_PW": CANARY})
        self.assertEqual(code, 1)
        self.assertIn("${KB_TEST_PW}", err)
        self.assertNotIn(CANARY, out + err)

    def test_metrics_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            path = self.backup_yaml("127.0.0.1:1", self.quick)
            with open(path, "a", encoding="utf-8") as out:
                out.write(f"metrics: {{port: {port}}}\n")
            code, _, err = run("backup", "-c", path)
        self.assertEqual(code, 1)
        self.assertRegex(err, rf"can't listen on 127\.0\.0\.1:{port}: Address "
                         "already in use|without libmicrohttpd")


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what, what happens to a request that comes twice, too late or too big."""

import pathlib
import socket
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import one_node  # noqa: E402


class WithNode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = cls.enterClassContext(one_node.OneNode())

    def refused(self, code, *arguments, **options):
        done = self.node.ctl(*arguments, check=False, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertNotEqual(done.stderr, "")
        return done.stderr

    def new_key(self, name):
        """(key file, public key) of a key that nobody has registered."""
        file = self.node.folder / f"{name}.key"
        public = self.node.ctl("keygen", "--out", file, "--name", name, "-q").stdout.split()[-1]
        return file, public


class KeyTest(WithNode):
    def test_an_unknown_key_is_refused(self):
        file, _ = self.new_key("stranger")
        self.refused(4, "list", "--key", file)
        self.refused(4, "add", "by-stranger", "--manual", "--command", "true", "--key", file)
        self.refused(4, "list", "--key", self.node.folder / "nowhere.key")
        self.assertNotIn("by-stranger", self.node.ctl("list", "-o", "name").stdout.split())

    def test_a_viewer_reads_only(self):
        file, public = self.new_key("viewer")
        self.node.ctl("key", "add", "viewer", public, "--role", "viewer")
        self.node.ctl("add", "seen", "--manual", "--command", "true")
        self.assertIn("seen", self.node.ctl("list", "-o", "name", "--key", file).stdout.split())
        for words in (["add", "new", "--manual", "--command", "true"], ["run", "seen"],
                      ["rm", "seen"], ["disable", "seen"], ["set", "seen", "timeout=1s"],
                      ["key", "add", "me", public, "--role", "admin"]):
            with self.subTest(words=words):
                self.refused(4, *words, "--key", file)
        self.assertIn("seen", self.node.ctl("list", "-o", "name").stdout.split())
        self.assertEqual(self.node.items("history", "seen"), [])

    def test_an_operator_runs_but_does_not_define(self):
        file, public = self.new_key("operator")
        self.node.ctl("key", "add", "operator", public, "--role", "operator")
        self.node.ctl("add", "mine", "--manual", "--command", "exit 0")
        run = self.node.ctl("run", "mine", "-q", "--key", file).stdout
        self.assertEqual(self.node.wait(int(run))["state"], "ok")
        self.refused(4, "set", "mine", "command=id", "--key", file)
        self.refused(4, "run", "mine", "--key", file, "--", "extra")

    def test_a_key_that_is_taken_away_is_refused_at_once(self):
        file, public = self.new_key("leaver")
        self.node.ctl("key", "add", "leaver", public, "--role", "admin")
        self.node.ctl("list", "--key", file)
        self.node.ctl("key", "rm", "leaver", "--yes")
        self.refused(4, "list", "--key", file)


class RequestTest(WithNode):
    def test_a_request_that_comes_twice_is_done_once(self):
        self.node.ctl("add", "once", "--manual", "--concurrency", "allow", "--command", "exit 0")
        first = self.node.ctl("run", "once", "-q", "--request-id", "r-1").stdout
        self.assertEqual(self.node.ctl("run", "once", "-q", "--request-id", "r-1").stdout, first)
        self.node.wait(int(first))
        self.assertEqual(self.node.ctl("run", "once", "-q", "--request-id", "r-1").stdout, first)
        self.node.kill()
        self.node.start()
        self.assertEqual(self.node.ctl("run", "once", "-q", "--request-id", "r-1").stdout, first)
        self.assertEqual(len(self.node.items("history", "once")), 1)
        self.assertNotEqual(self.node.ctl("run", "once", "-q", "--request-id", "r-2").stdout,
                            first)

    def test_an_add_that_comes_twice_makes_one_job(self):
        words = ["add", "twice", "--manual", "--command", "true"]
        self.node.ctl(*words, "--request-id", "a-1")
        self.node.ctl(*words, "--request-id", "a-1")
        self.refused(5, *words, "--request-id", "a-2")
        found = [item for item in self.node.items("list") if item["name"] == "twice"]
        self.assertEqual([item["version"] for item in found], [1])

    def test_a_request_id_of_another_key_or_request_is_not_answered_for_it(self):
        """Two clients that draw the same id must not see each other's answer."""
        self.node.ctl("add", "left", "--manual", "--command", "true")
        self.node.ctl("add", "right", "--manual", "--command", "true")
        left = self.node.ctl("run", "left", "-q", "--request-id", "s-1").stdout
        done = self.node.ctl("run", "right", "-q", "--request-id", "s-1", check=False)
        self.assertFalse(done.returncode == 0 and done.stdout == left, done)

    def test_an_edit_of_an_older_version_is_a_conflict(self):
        self.node.ctl("add", "edited", "--manual", "--command", "echo 1")
        self.node.ctl("set", "edited", "command=echo 2", "--if-version", 1)
        self.assertIn("2", self.refused(5, "set", "edited", "command=echo 3", "--if-version", 1))
        self.node.ctl("set", "edited", "command=echo 3", "--if-version", 2)
        found = [item for item in self.node.items("list") if item["name"] == "edited"]
        self.assertEqual(found[0]["version"], 3)

    def test_wrong_input_has_its_own_status(self):
        self.refused(9, "add", "wrong", "--schedule", "61 * * * *", "--command", "true")
        self.refused(2, "add", "wrong")
        self.refused(3, "run", "nowhere")
        self.refused(3, "logs", 999999)
        self.assertNotIn("wrong", self.node.ctl("list", "-o", "name").stdout.split())

    def test_a_message_that_is_too_big_is_refused(self):
        script = self.node.folder / "big.sh"
        script.write_bytes(b"# " + b"x" * (64 << 20) + b"\n")
        done = self.node.ctl("add", "big", "--manual", "--script", script, check=False)
        self.assertIn(done.returncode, (2, 6, 9), done.stderr)
        self.assertNotEqual(done.stderr, "")
        self.assertEqual(self.node.ctl("list", "-q").returncode, 0)

    def test_junk_on_the_socket_does_no_harm(self):
        for name in ("control.sock", "login.sock"):
            for junk in (b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 65536, b"\0" * 10, b""):
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(10)
                    client.connect(str(self.node.storage / "run" / name))
                    try:
                        client.sendall(junk)
                        client.shutdown(socket.SHUT_WR)
                        client.recv(4096)
                    except OSError:
                        pass
        self.assertEqual(self.node.ctl("list", "-q").returncode, 0)
        self.assertIsNone(self.node.agent.poll())


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ordinary users: a key by `login`, jobs of their own and nothing else; cron.allow and cron.deny."""

import json
import os
import pathlib
import pwd
import subprocess
import unittest

import sandbox
from sandbox import one_node

DENIED = 4


class LoginTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host()
        cls.host.overlay_etc()
        for name in ("cron.allow", "cron.deny"):
            pathlib.Path("/etc", name).unlink(missing_ok=True)

    def setUp(self):
        self.node = one_node.OneNode()
        self.node.__enter__()
        self.addCleanup(lambda: self.node.__exit__(None, None, None))
        self.homes = {}
        for user in (sandbox.USER, "nobody"):
            home = self.node.folder / user
            home.mkdir(mode=0o700)
            os.chown(home, pwd.getpwnam(user).pw_uid, -1)
            self.homes[user] = home

    def ctl_as(self, user, *arguments):
        """distcronctl without a key of the host's, as somebody else."""
        entry = pwd.getpwnam(user)
        return subprocess.run(
            ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups",
             one_node.BIN / "distcronctl", *map(str, arguments)], stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.homes[user]), "NO_COLOR": "1",
                 "LC_ALL": "C.UTF-8",
                 "DISTCRON_ENDPOINT": self.node.environment["DISTCRON_ENDPOINT"]},
            capture_output=True, text=True, check=False, timeout=60)

    def must(self, user, *arguments):
        done = self.ctl_as(user, *arguments)
        self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        return done

    def refused(self, user, *arguments, status=DENIED):
        done = self.ctl_as(user, *arguments)
        self.assertEqual(done.returncode, status, (arguments, done.stdout, done.stderr))
        return done.stderr

    def login(self, user):
        """Through the socket beside the control socket; waits until the key is let in."""
        self.must(user, "login")
        key = self.homes[user] / ".config/distcron/client.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        one_node.wait_until(lambda: self.ctl_as(user, "list").returncode == 0, 20,
                            "the key is let in")

    def test_a_user_runs_jobs_of_his_own_and_sees_no_others(self):
        joe, other = sandbox.USER, "nobody"
        self.node.ctl("add", "of-root", "--schedule", "@yearly", "--command", "echo secret")
        run_of_root = self.node.run_job("of-root")
        self.node.wait(run_of_root)
        self.assertNotEqual(self.ctl_as(joe, "list").returncode, 0, "no key, no answer")
        self.login(joe)
        self.login(other)
        self.must(joe, "add", "mine", "--schedule", "@yearly", "--command", "id -un; pwd")
        run = int(self.must(joe, "run", "mine", "-q").stdout)
        self.node.wait(run)
        home = pwd.getpwnam(joe).pw_dir
        self.assertEqual(self.must(joe, "logs", run).stdout, f"{joe}\n{home}\n")
        self.assertEqual([item["name"] for item in
                          json.loads(self.must(joe, "list", "-o", "json").stdout)["items"]], ["mine"])
        self.assertEqual({item["job"] for item in
                          json.loads(self.must(joe, "history", "-o", "json").stdout)["items"]},
                         {"mine"})
        self.assertEqual(json.loads(self.must(other, "list", "-o", "json").stdout)["items"], [])
        for user, words in ((joe, ("add", "up", "--user", "root")),
                            (joe, ("add", "side", "--user", other)),
                            (joe, ("set", "mine", "user=root"))):
            schedule = ("--schedule", "@yearly", "--command", "id") if words[0] == "add" else ()
            self.refused(user, *words, *schedule)
        for words in (("show", "of-root"), ("run", "of-root"), ("rm", "of-root", "--yes"),
                      ("disable", "of-root"), ("logs", run_of_root), ("kill", run_of_root)):
            done = self.ctl_as(joe, *words)
            self.assertNotEqual(done.returncode, 0, (words, done.stdout))
            self.assertNotIn("secret", done.stdout + done.stderr)
        for words in (("show", "mine"), ("run", "mine"), ("rm", "mine", "--yes"), ("logs", run)):
            self.assertNotEqual(self.ctl_as(other, *words).returncode, 0, words)
        # A job that takes another's name would take his place.
        self.assertNotEqual(self.ctl_as(other, "add", "mine", "--schedule", "@yearly", "--command",
                                        "id").returncode, 0)
        for words in (("key", "list"), ("cluster", "settings", "tz", "UTC")):
            self.assertNotEqual(self.ctl_as(joe, *words).returncode, 0, words)
        self.must(joe, "rm", "mine", "--yes")
        self.assertEqual([item["name"] for item in self.node.items("list")], ["of-root"])

    def test_cron_allow_and_cron_deny_decide_who_may_log_in(self):
        allow, deny = pathlib.Path("/etc/cron.allow"), pathlib.Path("/etc/cron.deny")
        self.addCleanup(lambda: (allow.unlink(missing_ok=True), deny.unlink(missing_ok=True)))
        deny.write_text("nobody\n", encoding="ascii")
        self.assertIn("may not use cron", self.refused("nobody", "login"))
        self.login(sandbox.USER)
        allow.write_text("nobody\n", encoding="ascii")
        self.login("nobody")
        self.refused(sandbox.USER, "login", "--out", self.homes[sandbox.USER] / "second.key")


if __name__ == "__main__":
    sandbox.main(needs_cron=False)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`crontab.watch`: jobs come, change and go with the files that a cron daemon would read."""

import os
import unittest

import sandbox
from sandbox import one_node

CONFLICT = 5
SOON_S = 20  # a second or two on a machine of one's own
LINE = "* * * * * root echo {}\n"


class Tables:
    """The files that an agent follows."""

    def __init__(self, base, host):
        base.mkdir(mode=0o755)
        self.table = base / "table" / "crontab"
        self.system = base / "cron.d"
        self.spool = base / "spool"
        for folder in (self.table.parent, self.system, self.spool):
            folder.mkdir(mode=0o755)
        self.spool.chmod(0o1730)
        self.host = host

    def sets(self, dialect="debian"):
        return ["crontab.watch=true", f"crontab.system_table={self.table}",
                f"crontab.system_dir={self.system}", f"crontab.spool_dir={self.spool}",
                f"crontab.dialect={dialect}"]

    def put(self, path, text, mode=0o644, user=0, group=0):
        """As packages do: write beside, then rename."""
        new = path.parent / f".{path.name}.new"
        new.write_text(text, encoding="utf-8")
        new.chmod(mode)
        os.chown(new, user, group)
        new.rename(path)
        return path


class WatchTest(unittest.TestCase):
    maxDiff = None
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host()

    def setUp(self):
        WatchTest.count += 1
        self.tables = Tables(self.host.folder / f"tables{WatchTest.count}", self.host)

    def commands(self, node):
        """What the jobs would run, enabled or not."""
        found = []
        for item in node.items("list"):
            done = node.ctl("show", item["name"], "-o", "json", check=False)
            if done.returncode == 0:  # else it has gone meanwhile
                found.append(one_node.json.loads(done.stdout)["spec"]["command"])
        return sorted(found)

    @staticmethod
    def shown(node, name):
        return one_node.json.loads(node.ctl("show", name, "-o", "json").stdout)["spec"]

    def wait_commands(self, node, expected, seconds=SOON_S):
        try:
            one_node.wait_until(lambda: self.commands(node) == sorted(expected), seconds, expected)
        except AssertionError:
            self.assertEqual(self.commands(node), sorted(expected), self.complaints(node))

    @staticmethod
    def complaints(node):
        warnings = one_node.json.loads(
            node.ctl("cluster", "status", "-o", "json").stdout).get("warnings", [])
        # Whether the host has the user distcron is no matter of this test.
        return [text for text in warnings if "the user distcron does not exist" not in text]

    def wait_complaint(self, node, *words):
        def find():
            return [text for text in self.complaints(node) if all(word in text for word in words)]
        return one_node.wait_until(find, SOON_S, f"a complaint with {words}")[0]

    def test_jobs_come_change_and_go_with_their_file(self):
        tables = self.tables
        tables.put(tables.table, LINE.format("from-table"))
        with one_node.OneNode(tables.sets()) as node:
            self.wait_commands(node, ["echo from-table"])
            path = tables.put(tables.system / "pkg", LINE.format("one") + LINE.format("two"))
            self.wait_commands(node, ["echo from-table", "echo one", "echo two"])
            names = {item["name"]: item for item in node.items("list")}
            self.assertTrue(all(item["enabled"] for item in names.values()))
            managed = next(name for name in names if name.startswith("pkg-"))
            for words in (("set", managed, "schedule=@daily"), ("rm", managed, "--yes"),
                          ("disable", managed)):
                done = node.ctl(*words, check=False)
                self.assertEqual(done.returncode, CONFLICT, (words, done.stdout, done.stderr))
                self.assertIn(str(path), done.stderr)
            self.assertEqual(node.wait(node.run_job(managed))["state"], "ok")
            tables.put(path, LINE.format("two") + "# one is gone\n" + LINE.format("three"))
            self.wait_commands(node, ["echo from-table", "echo two", "echo three"])
            node.stop()
            tables.put(path, LINE.format("four"))
            node.start()
            self.wait_commands(node, ["echo from-table", "echo four"])
            path.unlink()
            self.wait_commands(node, ["echo from-table"])
            self.assertEqual(self.complaints(node), [])

    def test_what_cron_ignores_is_ignored_with_a_complaint(self):
        tables = self.tables
        with one_node.OneNode(tables.sets()) as node:
            for name in ("a.b", "pkg.dpkg-new", "x~", ".hidden", "#x#"):
                tables.put(tables.system / name, LINE.format("never"))
            tables.put(tables.system / "writable", LINE.format("never"), 0o664)
            tables.put(tables.system / "owned", LINE.format("never"), 0o644,
                       sandbox.USER_ID)
            tables.put(tables.system / "broken", LINE.format("never") + "61 * * * * root x\n")
            tables.put(tables.system / "unknown-user",
                       LINE.format("never") + "* * * * * no-such-user x\n")
            tables.put(tables.system / "fragment", LINE.format("never") + "* * * * * root x")
            tables.put(tables.system / "good", LINE.format("good"))
            self.wait_commands(node, ["echo good"])
            for name in ("writable", "owned", "broken", "unknown-user", "fragment"):
                self.wait_complaint(node, f"{tables.system}/{name} is ignored")
            self.assertEqual(len(self.complaints(node)), 5)
            (tables.system / "writable").chmod(0o644)
            self.wait_commands(node, ["echo good", "echo never"])
            (tables.system / "writable").chmod(0o646)
            self.wait_commands(node, ["echo good"])

    def test_cronie_reads_other_names_and_drops_single_lines(self):
        tables = self.tables
        with one_node.OneNode(tables.sets("cronie")) as node:
            tables.put(tables.system / "foo.conf", LINE.format("conf"))
            tables.put(tables.system / "half", LINE.format("half") + "61 * * * * root x\n")
            for name in ("x~", "a.rpmsave", "a.rpmnew"):
                tables.put(tables.system / name, LINE.format("never"))
            self.wait_commands(node, ["echo conf", "echo half"])

    def test_a_live_cron_daemon_keeps_the_jobs_disabled(self):
        tables = self.tables
        tables.put(tables.system / "pkg", LINE.format("one"))
        self.host.start_cron()
        try:
            one_node.wait_until(lambda: os.path.exists("/run/crond.pid"), 10, "cron's pid file")
            with one_node.OneNode(tables.sets()) as node:
                self.wait_commands(node, ["echo one"])
                self.assertEqual([item["enabled"] for item in node.items("list")], [False])
                self.wait_complaint(node, "a cron daemon is running")
                self.host.stop_cron()
                tables.put(tables.system / "other", LINE.format("two"))  # looks again at once
                self.wait_commands(node, ["echo one", "echo two"])
                self.assertEqual([item["enabled"] for item in node.items("list")], [True, True])
        finally:
            self.host.stop_cron()

    def check_spool(self, node, tables):
        uid = sandbox.USER_ID
        tables.put(tables.spool / sandbox.USER, "* * * * * echo joe\n", 0o600, uid)
        tables.put(tables.spool / "root", "* * * * * echo root\n", 0o600)
        tables.put(tables.spool / "nobody", "* * * * * echo never\n", 0o640, 65534)
        tables.put(tables.spool / "daemon", "* * * * * echo never\n", 0o600, uid)
        tables.put(tables.spool / "no-such-user", "* * * * * echo never\n", 0o600)
        os.symlink(tables.spool / "root", tables.spool / "homeless")
        os.mkfifo(tables.spool / "bin", 0o600)
        self.look_again()
        self.wait_commands(node, ["echo joe", "echo root"])
        users = {self.shown(node, item["name"])["user"] for item in node.items("list")}
        self.assertEqual(users, {sandbox.USER, "root"})
        for name in ("nobody", "daemon", "no-such-user", "homeless", "bin"):
            self.wait_complaint(node, f"{tables.spool}/{name} is ignored")
        tables.put(tables.spool / sandbox.USER, "* * * * * echo jim\n", 0o600, uid)
        self.look_again()
        self.wait_commands(node, ["echo jim", "echo root"])
        (tables.spool / sandbox.USER).unlink()
        self.look_again()
        self.wait_commands(node, ["echo root"])
        self.assertEqual([text for text in self.complaints(node) if "not followed" in text], [])

    def look_again(self):
        """The spool is closed to user distcron, so an agent of his looks once a minute, as cron
        does; the other folder makes it look at once."""
        (self.tables.system / ".touched").write_text("", encoding="ascii")
        (self.tables.system / ".touched").unlink()

    def test_users_tables_are_followed_by_an_agent_that_is_root(self):
        path = "/etc/passwd"
        own = self.host.folder / path.replace("/", "_")
        text = own.read_text(encoding="utf-8")
        self.addCleanup(lambda: self.host.replace(path, text))
        self.host.replace(path, "".join(line for line in text.splitlines(True)
                                        if not line.startswith("distcron:")))
        with one_node.OneNode(self.tables.sets()) as node:
            self.check_spool(node, self.tables)

    def test_users_tables_are_followed_through_the_executor(self):
        path = "/etc/passwd"
        own = self.host.folder / path.replace("/", "_")
        text = own.read_text(encoding="utf-8")
        self.addCleanup(lambda: self.host.replace(path, text))
        if "\ndistcron:" not in text:
            self.host.replace(path, text + "distcron:x:61002:65534::/nonexistent:/bin/false\n")
        with one_node.OneNode(self.tables.sets()) as node:
            self.assertNotEqual(one_node.pathlib.Path(f"/proc/{node.agent.pid}").stat().st_uid, 0)
            self.check_spool(node, self.tables)


if __name__ == "__main__":
    sandbox.main()

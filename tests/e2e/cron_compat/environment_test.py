#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a job finds when Debian's cron starts a line, and when DistCron starts the same line.

Both run for real, one after the other, in one sandbox. A probe writes environment, ids, groups,
umask, descriptors, folder, signals, limits and more; all of it must be equal but DISTCRON_*.
"""

import os
import pathlib
import unittest

import sandbox
from sandbox import one_node

FACTS = sandbox.work() / "facts"

SYSTEM = """
* * * * * root {probe} sys-root
* * * * * nobody {probe} sys-nobody
* * * * * {user} {probe} sys-user
* * * * * homeless {probe} sys-homeless
* * * * * root {probe} sys-stdin%one%two \\% \\x%
* * * * * {user} {probe} sys-empty-stdin%
* * * * * {user} {probe} sys-quotes 'a b' "c $HOME" d\\\\\\\\e f\\%g \\"
SHELL=/bin/bash
* * * * * {user} {probe} sys-bash <(true) {{a,b}}
PATH = "/opt/none:/usr/bin:/bin"
MAILTO=""
* * * * * {user} {probe} sys-path
HOME=/usr
* * * * * {user} {probe} sys-home
LOGNAME=liar
USER=liar
LANG=xx_YY
FROM_PAM=table
"WITH SPACE"=' padded '
Q="in 'side'"
* * * * * nobody {probe} sys-overrides
HOME=/root/secret
* * * * * nobody {probe} sys-closed-home
"""
TABLES = {
    "root": "* * * * * {probe} user-root\n",
    "nobody": "SHELL=/bin/sh\nA=b # c\n* * * * * {probe} user-nobody%text\n",
    sandbox.USER: "CRON_TZ=Asia/Tokyo\nTZ=Asia/Tokyo\nMAILTO={user}@localhost\n"
                  "@hourly true\n* * * * * {probe} user-user\n",
}
# What the two may have different: our variables, and where output goes: into an unlinked file that
# Debian's cron reads at the end, into a pipe that we (and cronie) read all the time.
OWN = "DISTCRON_"
OUTPUT = {"fd1", "fd2"}


def read_facts(folder):
    """name -> {key: value}; environment under "env NAME"."""
    found = {}
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        facts = {}
        for line in path.read_text(encoding="ascii").splitlines():
            key, _, value = line.partition(" ")
            if key == "env":
                name, _, value = bytes.fromhex(value).decode("latin-1").partition("=")
                facts["env " + name] = value
            elif key == "stdin" or key.startswith("arg"):
                facts[key] = bytes.fromhex(value).decode("latin-1")
            else:
                facts[key] = value
        found[path.name] = facts
    return found


def fresh_facts():
    if FACTS.exists():
        for path in FACTS.iterdir():
            path.unlink()
    else:
        FACTS.mkdir()
    FACTS.chmod(0o1777)


class EnvironmentTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host()
        probe = cls.host.folder / "cron_probe"
        one_node.compile_c("cron_probe.c", probe, "-static")
        cls.words = {"probe": f"{probe} {FACTS}", "user": sandbox.USER}
        # PAM's service cron reads both.
        cls.host.replace("/etc/environment", 'FROM_PAM="environment"\nONLY_PAM=yes\nLANG=C\n')
        if os.path.exists("/etc/default/locale"):
            cls.host.replace("/etc/default/locale", "LANG=C.UTF-8\nLC_TIME=C\n")
        if os.path.exists("/etc/security/limits.conf"):
            cls.host.replace("/etc/security/limits.conf",
                             "* soft nofile 777\n"
                             f"{sandbox.USER} hard core 0\n{sandbox.USER} soft nproc 5000\n"
                             "nobody - priority 3\n")
        pam = pathlib.Path("/etc/pam.d/common-session-noninteractive")
        if pam.exists():
            cls.host.replace(str(pam), pam.read_text(encoding="utf-8") +
                             "session optional pam_umask.so umask=027\n")

    def start_lines(self):
        """Runs each line by cron; returns the facts."""
        fresh_facts()
        self.host.write_system_table("lines", SYSTEM.format(**self.words))
        for user, text in TABLES.items():
            self.host.write_user_table(user, text.format(**self.words))
        self.host.start_cron()
        expected = SYSTEM.count("{probe}") + len(TABLES)
        try:
            one_node.wait_until(lambda: len(read_facts(FACTS)) >= expected, 40,
                                f"cron has started {expected} lines")
        finally:
            self.host.stop_cron()
        return read_facts(FACTS)

    def import_and_run(self, node):
        jobs = []
        for arguments in (["/etc/cron.d/lines", "--system"],
                          *([f"{sandbox.SPOOL}/{user}", "--user", user] for user in TABLES)):
            items = node.items("import", "crontab", *arguments, "--dialect", "debian", "--as-is",
                               "--disabled")
            self.assertEqual({item["status"] for item in items}, {"imported"}, items)
            jobs += [item["job"] for item in items if "cron_probe" in item["command"]]
        fresh_facts()
        runs = {job: node.run_job(job) for job in jobs}
        for job, run in runs.items():
            item = node.wait(run)
            self.assertEqual(item["state"], "ok", item)
        return read_facts(FACTS)

    def test_a_line_finds_the_same_under_cron_and_under_distcron(self):
        real = self.start_lines()
        with one_node.OneNode() as node:
            ours = self.import_and_run(node)
        self.assertEqual(sorted(ours), sorted(real))
        facts, differences = 0, []
        for name, found in sorted(real.items()):
            own = {key: value for key, value in ours[name].items()
                   if not key.startswith("env " + OWN)}
            for key in sorted(set(found) | set(own)):
                facts += 1
                if key in OUTPUT and "(deleted)" in found[key] and own[key].startswith("pipe "):
                    continue
                if found.get(key) != own.get(key):
                    differences.append(f"{name} {key}: cron {found.get(key)!r}, "
                                       f"DistCron {own.get(key)!r}")
        print(f"{len(real)} lines, {facts} facts, {len(differences)} differ")
        self.assertFalse(differences, "\n" + "\n".join(differences))
        # The comparison would say nothing if PAM had not taken part.
        self.assertEqual(real["sys-root"]["env ONLY_PAM"], "yes")
        self.assertEqual(real["sys-overrides"]["env FROM_PAM"], "table")
        self.assertEqual(real["sys-root"]["Umask"], "0027")
        self.assertEqual(real["sys-nobody"]["nice"], "3")


if __name__ == "__main__":
    sandbox.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The crontabs of real Debian packages: each line is accepted, and the real cron daemon starts what
we would import, user by user and byte by byte.

The packages are fetched with apt-get download into a temporary folder, unpacked, never installed.
Their schedules are made due each minute and a recorder takes the place of the shell, so nothing of
them is run. DISTCRON_PACKAGES names others,
DISTCRON_DOWNLOADS a folder that keeps them.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import daemon
import oracle

PACKAGES = os.environ.get("DISTCRON_PACKAGES", " ".join([
    "cron-daemon-common", "e2fsprogs", "sysstat", "php-common", "certbot", "mdadm", "anacron",
    "logcheck", "munin-node", "munin", "ntpsec", "awstats", "mailman3", "cron-apt", "amavisd-new",
    "backupninja", "clamav-unofficial-sigs", "dma", "roundcube-core", "rsnapshot", "tiger",
    "zfsutils-linux"])).split()
FILES_MIN = 8


def fetch(directory):
    """Downloads what exists and is not there yet; returns {package: path}."""
    listed = subprocess.run(["apt-cache", "madison", *PACKAGES], capture_output=True, text=True,
                            check=False).stdout
    known = {line.split("|")[0].strip() for line in listed.splitlines()}

    def present():
        return {name.split("_")[0]: os.path.join(directory, name)
                for name in sorted(os.listdir(directory)) if name.endswith(".deb")}

    def download(packages):
        subprocess.run(["apt-get", "-q", "download", *packages], cwd=directory,
                       capture_output=True, check=False, timeout=200)

    wanted = sorted(known - set(present()))
    if wanted:
        download(wanted)
    for package in sorted(known - set(present())):  # one bad package stops apt-get at once
        download([package])
    return present()


def tables_of(package_file):
    """{name: bytes} of etc/crontab and etc/cron.d/* in a package."""
    with tempfile.TemporaryDirectory(prefix="distcron-deb-") as directory:
        subprocess.run(["dpkg-deb", "-x", package_file, directory], check=True)
        tables = {}
        main = os.path.join(directory, "etc", "crontab")
        if os.path.isfile(main):
            with open(main, "rb") as source:
                tables["crontab"] = source.read()
        drop_in = os.path.join(directory, "etc", "cron.d")
        for name in os.listdir(drop_in) if os.path.isdir(drop_in) else []:
            if not name.startswith(".") and os.path.isfile(os.path.join(drop_in, name)):
                with open(os.path.join(drop_in, name), "rb") as source:
                    tables[name] = source.read()
        return tables


def recorded(table, result, is_due):
    """The table with a recorder as the shell, and if `is_due` with all schedules due each minute."""
    lines = table.split(b"\n")
    for line in result["lines"]:
        text = lines[line["line"] - 1]
        if line["kind"] == "entry" and is_due:
            lines[line["line"] - 1] = text.replace(line["schedule"].encode("latin-1"),
                                                   b"* * * * *", 1)
        elif line["kind"] == "env" and line["name"] == "SHELL":
            lines[line["line"] - 1] = b"# " + text
    return b"SHELL={{RECORDER}}\n" + b"\n".join(lines)


class PackagesTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tables = {}
        with tempfile.TemporaryDirectory(prefix="distcron-packages-") as directory:
            directory = os.environ.get("DISTCRON_DOWNLOADS", directory)
            os.makedirs(directory, exist_ok=True)
            os.chmod(directory, 0o777)
            for package, path in sorted(fetch(directory).items()):
                for name, table in tables_of(path).items():
                    cls.tables[(package, name)] = table
        if len(cls.tables) < FILES_MIN:
            raise unittest.SkipTest(f"only {len(cls.tables)} crontabs could be fetched")

    def setUp(self):
        self.users = sorted({match.decode() for table in self.tables.values() for match in
                             re.findall(rb"^(?:@\w+|(?:\S+[ \t]+){4}\S+)[ \t]+([a-z_][\w-]*)[ \t]",
                                        table, re.MULTILINE)} | {"root"})

    def test_each_line_is_accepted_by_all_daemons_that_have_such_tables(self):
        entries = 0
        for (package, name), table in self.tables.items():
            for dialect in ("debian", "cronie"):
                result = oracle.our_tables([table], dialect, "system")[0]
                refused = [line for line in result["lines"] if line["kind"] == "refused"]
                self.assertEqual(refused, [], (package, name, dialect))
                self.assertFalse(result["file"]["ignored"], (package, name, dialect))
                entries += sum(line["kind"] == "entry" for line in result["lines"])
        print(f"{len(self.tables)} crontabs of {len({p for p, _ in self.tables})} packages, "
              f"{entries // 2} entries, all accepted")

    def test_the_daemon_loads_the_files_as_they_are(self):
        reason = daemon.missing()
        if reason:
            self.skipTest(reason)
        tables = {}
        for index, table in enumerate(self.tables.values()):
            result = oracle.our_tables([table], "debian", "system")[0]
            tables[f"p{index}"] = recorded(table, result, is_due=False)
        result = daemon.run(tables, "2026-03-02 04:30:50", users=self.new_users())
        errors = [line for line in result["log"] if "rror" in line or "ERROR" in line]
        self.assertEqual(errors, [])

    def new_users(self):
        with open("/etc/passwd", encoding="utf-8") as source:
            known = {line.split(":")[0] for line in source}
        return [user for user in self.users if user not in known]

    def test_the_daemon_starts_what_we_import(self):
        reason = daemon.missing()
        if reason:
            self.skipTest(reason)
        tables = {}
        expected = []
        for index, table in enumerate(self.tables.values()):
            result = oracle.our_tables([table], "debian", "system")[0]
            tables[f"p{index}"] = recorded(table, result, is_due=True)
            rewritten = oracle.our_tables([tables[f"p{index}"]], "debian", "system")[0]
            entries = [line for line in rewritten["lines"] if line["kind"] == "entry"]
            self.assertEqual([(e["user"], e["command"], e["stdin"]) for e in entries],
                             [(e["user"], e["command"], e["stdin"]) for e in result["lines"]
                              if e["kind"] == "entry"])
            for entry in entries:
                env = {k: v for k, v in entry["env"].items() if k not in ("LOGNAME", "SHELL")}
                expected.append((entry["user"], entry["command"], entry["stdin"],
                                 tuple(sorted(env.items()))))
        names = {name for entry in expected for name, _ in entry[3]}
        result = daemon.run(tables, "2026-03-02 10:00:50", users=self.new_users())
        real = []
        for record in result["records"]:
            env = {k: v for k, v in record["env"].items() if k in names}
            real.append((record["user"], record["command"], record["stdin"], env))
        self.assertEqual(sorted(entry[:3] for entry in expected), sorted(r[:3] for r in real))
        for user, command, stdin, env in expected:
            self.assertTrue(any(r[:3] == (user, command, stdin) and
                                all(r[3].get(k) == v for k, v in env) for r in real),
                            (user, command, env))
        print(f"cron started {len(real)} commands of packages, all as we import them")


if __name__ == "__main__":
    if not oracle.dump_program():
        print("skipped: DISTCRON_CRONTAB_DUMP names no program")
        sys.exit(77)
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The disk of one member is full or damaged: the others go on, and it comes back when it can.

A full disk is a small tmpfs in a mount namespace of our own: the file starts itself again there.
"""

import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402
import ticks  # noqa: E402

INSIDE = "DISTCRON_MEMBER_DISK_TEST"
SIZE = "16m"
EX_IOERR = 74


class SmallDiskFleet(fleet.Fleet):
    """The storage of one member is a small file system."""

    def __init__(self, size, small):
        super().__init__(size)
        self.disk = self.folder / f"n{small}"

    def __enter__(self):
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "none", self.disk],
                       check=True)
        return super().__enter__()

    def end(self, failed):
        for member in self.members.values():
            if member.is_running():
                member.kill()
        subprocess.run(["umount", "-l", self.disk], check=True)
        super().end(failed)

    def fill(self):
        with (self.disk / "filler").open("ab") as out:
            for size in (65536, 4096, 512, 1):
                try:
                    while True:
                        os.write(out.fileno(), b"x" * size)
                except OSError:
                    continue

    def make_room(self):
        (self.disk / "filler").unlink()


class FullDiskTest(unittest.TestCase):
    def setUp(self):
        if INSIDE not in os.environ:
            self.skipTest("no mount namespace")

    def check(self, small):
        with SmallDiskFleet(3, small) as three:
            three.wait_for_scheduler(1)
            other = three[3 if small == 1 else 1]
            full, fine = ticks.Ticks(three.folder, "full"), ticks.Ticks(three.folder, "fine")
            full.add(other, on=small)
            fine.add(other, on=2)
            full.wait_for_more(2)
            three.fill()
            changes = self.change_until_it_is_noticed(three, three[small], other)
            # The others take changes and run what is theirs.
            fine.wait_for_more(5)
            other.ctl("add", "meanwhile", "--manual", "--command", "true")
            self.assertTrue(three[small].is_running())
            three.make_room()
            one_node.wait_until(
                lambda: three[small].ctl("set", "meanwhile", "description=again", check=False)
                .returncode == 0, 60, "changes are taken again by the member that was full")
            three.wait_for_scheduler(1)
            full.wait_for_more(2)
            some = three.some_scheduler()
            for job in (full, fine):
                job.end(some)
            ticks.wait_for_same_state(three.alive())
            self.assertEqual(fine.faults(some), [])
            self.assertEqual(full.faults(some, ("ok", "missed", "unknown", "failed")), [])
            listed = {job["name"] for job in three[small].items("list")}
            self.assertLessEqual({*changes, "meanwhile"}, listed)

    def change_until_it_is_noticed(self, three, member, other):
        """Names of jobs that the cluster took until the member said that its disk is full."""
        taken = []
        until = time.monotonic() + 60
        while "full" not in member.ctl("cluster", "status", "-o", "json", check=False).stdout:
            if time.monotonic() > until:
                self.fail(f"{member.name} does not say that its disk is full")
            name = f"filling-{len(taken)}"
            done = other.ctl("add", name, "--manual", "--description", "d" * 4000, "--command",
                             "true", "--if-not-exists", check=False)
            if done.returncode == 0:
                taken.append(name)
        return taken

    def test_a_follower_with_a_full_disk_recovers_by_itself_and_the_others_go_on(self):
        self.check(3)

    def test_a_scheduler_with_a_full_disk_recovers_by_itself_and_the_others_go_on(self):
        self.check(1)


class DamagedDatabaseTest(unittest.TestCase):
    def damage(self, path, table):
        """Random bytes over the page where the table begins; nothing of it is left in the WAL."""
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            size = database.execute("PRAGMA page_size").fetchone()[0]
            page = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?",
                                    (table,)).fetchone()[0]
        database.close()
        with path.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(os.urandom(size))

    def check(self, file, table):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            job = ticks.Ticks(three.folder)
            job.add(three[1], on=2)
            job.wait_for_more(2)
            bad = three[3]
            bad.stop()
            for pid in one_node.processes([f"{bad.storage}/"]):
                os.kill(pid, 9)
            self.damage(bad.storage / file, table)
            before = bad.log_path.stat().st_size
            bad.agent = bad.launch()
            self.assertEqual(bad.agent.wait(timeout=60), EX_IOERR)
            said = bad.log_path.read_text()[before:]
            self.assertRegex(said, rf"{file}.*(damaged|malformed)")
            self.assertRegex(said, "join (the cluster )?again")
            three[1].ctl("add", "meanwhile", "--manual", "--on", "name=n4", "--command",
                         "echo new")
            job.wait_for_more(2)
            # It comes again as another host, with nothing.
            three[1].ctl("node", "remove", "n3", "--force", "--yes")
            shutil.rmtree(bad.storage)
            three.add(4)
            three.wait_for_members(3)
            ids = {node["name"]: node["id"] for node in three[1].status()["nodes"]}
            self.assertEqual(ids, {"n1": 1, "n2": 2, "n4": 4})
            item = three[2].wait(three[2].run_job("meanwhile"))
            self.assertEqual((item["state"], item["node"]), ("ok", "n4"))
            job.end(three[1])
            ticks.wait_for_same_state(three.alive())
            self.assertEqual(job.faults(three[4]), [])

    def test_a_member_with_a_damaged_page_of_its_state_refuses_to_start(self):
        self.check("state.db", "jobs")

    def test_a_member_with_a_damaged_page_of_its_log_refuses_to_start(self):
        self.check("raft.db", "log")


def run_inside():
    """Starts this file again in a mount namespace, where it may."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return None
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
        return None
    return subprocess.run(["unshare", "-m", sys.executable, __file__, *sys.argv[1:]],
                          env={**os.environ, INSIDE: "1"}, check=False).returncode


if __name__ == "__main__":
    one_node.skip_without_programs()
    if INSIDE not in os.environ:
        inside = run_inside()
        if inside is not None:
            sys.exit(inside)
    unittest.main(verbosity=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A full disk and a broken one: what was acknowledged is there, jobs go on, nothing is made up.

A full disk is a small tmpfs in a mount namespace of our own: the file starts itself again there.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import one_node  # noqa: E402

INSIDE = "DISTCRON_DISK_TEST"
SIZE = "12m"


class BrokenDiskTest(unittest.TestCase):
    """EIO of a sync or a write stops the agent; a sync is never tried again."""

    def check(self, file, answers):
        with one_node.OneNode() as node:
            shim, trigger = node.folder / "shim.so", node.folder / "broken"
            one_node.compile_c("fsync_shim.c", shim, "-shared", "-fPIC")
            node.stop()
            # The agent alone has the shim: the executor, and so the jobs, run already.
            node.agent_environment |= {"LD_PRELOAD": str(shim), "FSYNC_SHIM_FILE": file,
                                       "FSYNC_SHIM_TRIGGER": str(trigger)}
            node.start()
            gate = node.folder / "gate"
            node.ctl("add", "waits", "--manual", "--command",
                     f"until [ -e {gate} ]; do sleep 0.1; done; exit 5")
            run = node.run_job("waits")
            node.wait_running(run)
            trigger.touch()
            done = node.ctl("add", "doubtful", "--manual", "--command", "true",
                            "--request-timeout", "5s", check=False)
            self.assertIn(done.returncode, answers, done.stderr)
            self.assertEqual(node.agent.wait(timeout=60), 74)
            self.assertRegex(node.log_path.read_text(), r"(?i)input/output error|IOERR|EIO")
            self.assertTrue(one_node.processes([f"until [ -e {gate}"]))
            trigger.unlink()
            node.start()
            self.assertEqual(node.run_of(run)["state"], "running")
            names = [item["name"] for item in node.items("list")]
            self.assertIn("waits", names)
            if done.returncode == 0:
                self.assertIn("doubtful", names)
            gate.touch()
            item = node.wait(run)
            self.assertEqual((item["state"], item["exit_code"]), ("failed", 5))

    def test_an_agent_whose_log_cannot_be_written_stops_and_its_jobs_go_on(self):
        self.check("/raft.db", (6, 7, 8))

    def test_an_agent_whose_state_cannot_be_written_stops_and_its_jobs_go_on(self):
        self.check("/state.db", (0, 6, 7, 8))


class FullDiskTest(unittest.TestCase):
    def setUp(self):
        if INSIDE not in os.environ:
            self.skipTest("no mount namespace")
        self.disk = pathlib.Path(os.environ[INSIDE])
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "none", self.disk],
                       check=True)

    def tearDown(self):
        subprocess.run(["umount", "-l", self.disk], check=True)

    def fill(self):
        with (self.disk / "filler").open("ab") as out:
            for size in (65536, 4096, 512, 1):
                try:
                    while True:
                        os.write(out.fileno(), b"x" * size)
                except OSError:
                    continue

    def test_a_full_disk_refuses_changes_and_recovers_by_itself(self):
        with one_node.OneNode(storage=self.disk / "s") as node:
            gate = node.folder / "gate"
            node.ctl("add", "waits", "--manual", "--concurrency", "allow", "--command",
                     f"until [ -e {gate} ]; do sleep 0.1; done; exit 5")
            node.ctl("add", "ends", "--manual", "--command",
                     f"until [ -e {gate}.2 ]; do sleep 0.1; done; exit 6")
            node.ctl("add", "each", "--schedule", "@every 1s", "--concurrency", "allow",
                     "--command", "true")
            waits, ends = node.run_job("waits"), node.run_job("ends")
            node.wait_running(waits)
            node.wait_running(ends)
            self.fill()
            acknowledged, refusal = self.add_until_refused(node)
            self.assertEqual(refusal.returncode, 8, refusal.stderr)
            self.assertRegex(refusal.stderr, r"(?i)full|space")
            # It ends while its end cannot be stored.
            pathlib.Path(f"{gate}.2").touch()
            one_node.wait_until(lambda: not one_node.processes([f"until [ -e {gate}.2"]), 30,
                                "the job ends")
            time.sleep(2)
            self.assertIsNone(node.agent.poll())
            listed = node.ctl("list", "-o", "name").stdout.split()
            self.assertLessEqual({*acknowledged, "waits", "ends", "each"}, set(listed))
            status = node.ctl("cluster", "status", "-o", "json").stdout
            self.assertRegex(status, r"(?i)full|space")
            (self.disk / "filler").unlink()
            one_node.wait_until(lambda: node.ctl("add", "after", "--manual", "--command", "true",
                                                 "--if-not-exists", check=False).returncode == 0,
                                30, "changes are taken again")
            item = node.wait(ends)
            self.assertEqual((item["state"], item["exit_code"]), ("failed", 6))
            gate.touch()
            item = node.wait(waits)
            self.assertEqual((item["state"], item["exit_code"]), ("failed", 5))
            self.check_slots(node)
            node.stop()
            node.start()
            listed = node.ctl("list", "-o", "name").stdout.split()
            self.assertLessEqual({*acknowledged, "waits", "ends", "each", "after"}, set(listed))
            self.assertNotIn(f"new-{len(acknowledged)}", listed)

    def add_until_refused(self, node):
        """The names that were acknowledged, and the first refusal."""
        acknowledged = []
        for number in range(300):
            done = node.ctl("add", f"new-{number}", "--manual", "--description", "d" * 2000,
                            "--command", "true", check=False)
            if done.returncode != 0:
                return acknowledged, done
            acknowledged.append(f"new-{number}")
        self.fail("the disk is full, yet 300 jobs were added")

    def check_slots(self, node):
        """Each slot of the job of every second has one final row, also those of the bad time."""
        last = time.time()
        one_node.wait_until(lambda: any(one_node.epoch_of(item["scheduled_at"]) > last
                                        for item in node.items("history", "each")), 30,
                            "slots run again")
        node.disable("each")
        one_node.wait_until(lambda: not node.items("history", "each", "--active"), 60,
                            "all runs have ended")
        epochs = sorted(one_node.epoch_of(item["scheduled_at"])
                        for item in node.items("history", "each", "--limit", 100000))
        self.assertEqual(epochs, list(range(epochs[0], epochs[-1] + 1)))


def run_inside():
    """Starts this file again in a mount namespace, where it may; then the folder is named."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return None
    if subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
        return None
    with tempfile.TemporaryDirectory(prefix="distcron-disk.") as folder:
        pathlib.Path(folder).chmod(0o755)
        done = subprocess.run(["unshare", "-m", sys.executable, __file__, *sys.argv[1:]],
                              env={**os.environ, INSIDE: folder}, check=False)
    return done.returncode


if __name__ == "__main__":
    one_node.skip_without_programs()
    if INSIDE not in os.environ:
        inside = run_inside()
        if inside is not None:
            sys.exit(inside)
    unittest.main()

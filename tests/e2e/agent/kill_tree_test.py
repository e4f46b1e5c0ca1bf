#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill and timeout leave no process of a job, however it hides: own session, double fork, TERM
ignored, the output pipe held open. With cgroups, and with the walk over descendants."""

import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import one_node  # noqa: E402

GRACE_S = 1
# grace + 1 s is the promise; the rest is for a machine that does much else.
SLACK_S = 4
# Every process has the mark in its arguments. The shells do not exec their last command.
JOB = """trap '' TERM HUP INT
mark={mark}
(trap '' TERM; setsid sh -c 'trap "" TERM HUP; (sh -c "trap \\"\\" TERM; while :; do sleep 0.2;
 : '$0'; done" '$0' &) ; while :; do sleep 0.2; : ; done' $mark &) &
setsid -f sh -c 'trap "" TERM; while :; do sleep 0.2; : ; done' $mark
sh -c 'while :; do sleep 0.2; : ; done' $mark &
echo ready
while :; do sleep 0.2; : $mark; done
"""


class KillTreeTest(unittest.TestCase):
    cgroup_off = False

    def check(self, node, how):
        mark = f"mark-{how}-{os.getpid()}"
        script = node.folder / f"{mark}.sh"
        script.write_text(JOB.format(mark=mark))
        options = ["--timeout", "3s"] if how == "timeout" else []
        node.ctl("add", how, "--manual", *options, "--kill-grace", f"{GRACE_S}s", "--",
                 "/bin/sh", script, mark)
        run = node.run_job(how)
        node.wait_running(run)
        found = one_node.wait_until(
            lambda: len(pids := one_node.processes([mark])) >= 5 and pids, 30,
            f"the job has five processes, not {one_node.processes([mark])}")
        begin = time.time()
        if how == "kill":
            node.ctl("kill", run)
        item = node.wait(run, 30)
        took = time.time() - begin - (3 if how == "timeout" else 0)
        self.assertEqual(item["state"], "killed" if how == "kill" else "timeout")
        self.assertEqual(one_node.processes([mark]), [], f"of {found}")
        self.assertLess(took, GRACE_S + 1 + SLACK_S)
        self.assertEqual(node.ctl("logs", run, "--raw").stdout, "ready\n")
        print(f"{how}: {len(found)} processes gone after {took:.2f} s, grace {GRACE_S} s")

    def check_both(self, node):
        for how in ("kill", "timeout"):
            with self.subTest(how=how):
                self.check(node, how)

    def test_nothing_is_left_after_kill_and_timeout(self):
        with one_node.OneNode() as node:
            print(node.ctl("cluster", "status", "-o", "json").stdout.split('"cgroup":')[1][:40])
            self.check_both(node)

    def test_nothing_is_left_after_kill_and_timeout_without_cgroups(self):
        """In a mount namespace whose cgroup file system is read-only, as in most containers."""
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
            self.skipTest("cannot make a mount namespace")
        with one_node.OneNode(prefix=["unshare", "-m", "sh", "-c",
                                      'mount -t tmpfs -o ro none /sys/fs/cgroup; exec "$@"',
                                      "sh"]) as node:
            status = node.ctl("cluster", "status", "-o", "json").stdout
            self.assertNotIn('"cgroup":"cgroup2"', status)
            print(status.split('"cgroup":')[1][:200])
            self.check_both(node)


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main()

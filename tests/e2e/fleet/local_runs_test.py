#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pinned job with on_no_quorum = run-local goes on on its host while there is no majority; then the
cluster knows each of its slots once."""

import pathlib
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402
import ticks  # noqa: E402

SLOTS = 6
AHEAD = 2  # slots that were claimed before the majority was lost
TAKES_OVER_S = 6  # five election timeouts, or twice as long as a host may be silent
RUN_LOCAL = ("--on-no-quorum", "run-local")


def local_rows(some, job):
    return [item for item in some.history(job.name) if item["trigger"] == "local"]


class LocalRunsTest(unittest.TestCase):
    def test_a_host_goes_on_without_a_majority_and_tells_of_it(self):
        with fleet.Fleet(3) as three:
            alone = ticks.Ticks(three.folder, "alone")
            other = ticks.Ticks(three.folder, "other")
            alone.add(three[1], on=3, more=RUN_LOCAL)
            other.add(three[1], on=3)
            alone.wait_for_more(2)
            other.wait_for_more(2)

            lost_at = self.lose_two(three)
            alone.wait_for_more(SLOTS + AHEAD)
            late = [at - slot for slot, at in alone.starts() if slot > lost_at + TAKES_OVER_S + 2]
            self.assertLess(max(late), 1.5)
            self.assertLess(max(slot for slot, _ in other.starts()), lost_at + 4,
                            "only what was claimed ahead starts of the other job")

            self.come_back(three)
            alone.wait_for_more(3)
            other.wait_for_more(3)
            for job in (alone, other):
                job.end(three[1])
            self.check(three, alone, lost_at)
            self.assertEqual(local_rows(three[1], other), [])
            self.check_explained(three[2], alone)

    def test_an_agent_that_starts_without_a_majority_goes_on_until_the_limit(self):
        with fleet.Fleet(3) as three:
            alone = ticks.Ticks(three.folder, "alone")
            alone.add(three[1], on=3, more=RUN_LOCAL)
            alone.wait_for_more(2)
            lost_at = self.lose_two(three)
            alone.wait_for_more(2)
            three[3].kill()
            three[3].start()
            alone.wait_for_more(SLOTS + AHEAD)
            self.come_back(three)
            alone.wait_for_more(3)
            self.check(three, alone, lost_at)

            limit_s = TAKES_OVER_S + 4
            three[1].ctl("cluster", "settings", "no_quorum_max", f"{limit_s}s")
            lost_at = self.lose_two(three)
            alone.wait_for_more(2)
            one_node.wait_until(lambda: time.time() > lost_at + limit_s + 3, 30, "the limit passes")
            count = len(alone.starts())
            ticks.stay(4, lambda: len(alone.starts()) == count, "nothing starts after the limit")
            self.assertLess(max(slot for slot, _ in alone.starts()), lost_at + limit_s + 2)
            self.come_back(three)
            alone.wait_for_more(3)
            alone.end(three[1])
            self.assertEqual(alone.faults(three[1], ("ok", "missed")), [])

    def test_only_a_pinned_job_may(self):
        with one_node.OneNode() as node:
            done = node.ctl("add", "loose", "--schedule", "@hourly", *RUN_LOCAL, "--command", "true",
                            check=False)
            self.assertEqual(done.returncode, 9, done.stderr)
            self.assertIn("pinned to one host", done.stderr)

    def lose_two(self, three):
        for number in (1, 2):
            three[number].kill()
        one_node.wait_until(lambda: not three[3].status().get("quorum", True), 30,
                            "n3 has no majority")
        return time.time()

    @staticmethod
    def come_back(three):
        for number in (1, 2):
            three[number].start()
        three.some_scheduler()

    def check(self, three, job, lost_at):
        """Each slot has one row, and says what became of it."""
        one_node.wait_until(lambda: local_rows(three[1], job), 30, "the log knows of local runs")
        missed = [item for item in three[1].history(job.name) if item["state"] == "missed"]
        self.assertEqual({item["reason"] for item in missed} - {"no_majority"}, set(), missed)
        for item in missed:
            self.assertGreater(one_node.epoch_of(item["scheduled_at"]), lost_at - 3)
        started = {slot for slot, _ in job.starts()}
        rows = local_rows(three[1], job)
        print(f"{len(rows)} runs were started alone, {len(missed)} slots missed")
        self.assertGreaterEqual(len(rows), SLOTS)
        for item in rows:
            self.assertEqual((item["state"], item["node"]), ("ok", "n3"), item)
            self.assertIn(one_node.epoch_of(item["scheduled_at"]), started)
        one_node.wait_until(lambda: all(item["state"] in one_node.FINAL
                                        for item in three[1].history(job.name)
                                        if item["trigger"] == "local"), 30, "all have ended")
        self.assertEqual([fault for fault in job.faults(three[1], ("ok", "missed"))
                          if "running" not in fault and "dispatched" not in fault], [])

    def check_explained(self, some, job):
        slot = local_rows(some, job)[0]["scheduled_at"]
        answer = some.ctl("explain", job.name, "--at", slot).stdout
        self.assertIn("by host n3 alone", answer)
        self.assertNotIn("duplicate", answer)


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main(verbosity=2)

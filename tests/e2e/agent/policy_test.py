#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a job asks for is what it gets: concurrency, retries, misfire, edits of claimed slots."""

import pathlib
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import one_node  # noqa: E402
import run_checker  # noqa: E402


class WithNode(unittest.TestCase):
    """One agent for all tests of a class; each test has jobs of its own."""

    @classmethod
    def setUpClass(cls):
        cls.node = cls.enterClassContext(one_node.OneNode())
        cls.program = cls.node.folder / "witness_job"
        one_node.compile_c("witness_job.c", cls.program)

    def lives(self, job):
        """(start, end or None, run) of each attempt by its own word, in order of start."""
        starts, ends = run_checker.read_witness(self.node.witness.read_text().splitlines())
        mine = [start for start in starts if start.job == job]
        return sorted((start.t, ends[start.run, start.attempt][0].t
                       if ends[start.run, start.attempt] else None, start.run) for start in mine)

    def settle(self, *jobs):
        self.node.disable(*jobs)
        one_node.wait_until(lambda: not self.node.items("history", *jobs, "--active"), 60,
                            f"the runs of {jobs} have ended")

    def states(self, job):
        return {run_checker.epoch_of(item["scheduled_at"]): (item["state"], item.get("reason"))
                for item in self.node.items("history", job, "--limit", 1000)}


class ConcurrencyTest(WithNode):
    EVERY_S = 2
    LONG_S = 5

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        policies = ("allow", "forbid", "queue", "replace")
        cls.jobs = {}
        for policy in policies:
            cls.node.ctl("add", policy, "--schedule", f"@every {cls.EVERY_S}s", "--concurrency",
                         policy, "--misfire-window", "60s", "--kill-grace", "1s", "--",
                         cls.program, cls.node.witness, cls.LONG_S, 0, 0)
            cls.jobs[policy] = run_checker.Job(policy, f"@every {cls.EVERY_S}s", time.time(), 0,
                                               window_s=60, concurrency=policy)
        one_node.wait_until(lambda: len(cls.node.items("history", "queue")) >= 6, 60, "six slots")
        for policy in policies:
            cls.node.disable(policy)
            begin, end = cls.node.edits[-2:]
            cls.jobs[policy].active_until, cls.jobs[policy].edit_s = begin, end - begin
        one_node.wait_until(lambda: not cls.node.items("history", *policies, "--active"), 90,
                            "all runs have ended")

    def check(self, policy):
        jobs = [self.jobs[policy]]
        evidence = self.node.evidence(jobs, [])
        evidence.witness = [line for line in evidence.witness if f" {policy} " in line
                            or line.startswith("END")]
        report = run_checker.Checker(jobs, evidence, time.time()).run()
        self.assertEqual(report.faults, [])
        return report

    def test_allow_lets_runs_overlap(self):
        self.check("allow")
        lives = self.lives("allow")
        self.assertTrue(any(two[0] < one[1] for one, two in zip(lives, lives[1:])))

    def test_forbid_skips_slots_while_a_run_is_alive(self):
        report = self.check("forbid")
        self.assertGreater(report.reasons["overlap"], 0)
        lives = self.lives("forbid")
        for one, two in zip(lives, lives[1:]):
            self.assertGreaterEqual(two[0], one[1])

    def test_queue_runs_one_after_the_other(self):
        lives = self.lives("queue")
        self.assertGreaterEqual(len(lives), 2)
        for one, two in zip(lives, lives[1:]):
            self.assertGreaterEqual(two[0], one[1])
            self.assertLess(one[2], two[2])
        self.assertLessEqual(set(self.states("queue").values()),
                             {("ok", None), ("cancelled", "disabled")})

    def test_replace_ends_the_earlier_run(self):
        lives, states = self.lives("replace"), self.states("replace")
        self.assertGreaterEqual(len(lives), 3)
        self.assertTrue(all(end is None for _, end, _ in lives[:-1]), lives)
        reasons = list(states.values())
        self.assertGreaterEqual(reasons.count(("killed", "replaced")), 2)
        self.assertLessEqual(set(reasons), {("ok", None), ("killed", "replaced"),
                                            ("cancelled", "disabled"), ("missed", "superseded")})


class RetryTest(WithNode):
    def test_a_failure_is_tried_again_after_the_delay(self):
        self.node.ctl("add", "fails", "--manual", "--retry", "2", "--retry-delay", "1s",
                      "--retry-jitter", "0", "--", self.program, self.node.witness, 0, 0, 9)
        run = self.node.run_job("fails")
        item = self.node.wait(run)
        self.assertEqual((item["state"], item["exit_code"], item["attempt"]), ("failed", 9, 3))
        rows = sorted((row["attempt"], row["state"]) for row in
                      self.node.items("history", "fails", "--attempts"))
        self.assertEqual(rows, [(1, "failed"), (2, "failed"), (3, "failed")])
        lives = self.lives("fails")
        self.assertEqual(len(lives), 3)
        for one, two in zip(lives, lives[1:]):
            self.assertGreaterEqual(two[0] - one[1], 0.9)

    def test_a_retry_that_is_good_makes_the_run_ok(self):
        mark = self.node.folder / "mark"
        self.node.ctl("add", "second", "--manual", "--retry", "5", "--retry-delay", "100ms",
                      "--command", f"echo $DISTCRON_ATTEMPT; [ -e {mark} ] || {{ : > {mark}; "
                      "exit 1; }")
        item = self.node.wait(self.node.run_job("second"))
        self.assertEqual((item["state"], item["attempt"]), ("ok", 2))
        for attempt in (1, 2):
            self.assertEqual(self.node.ctl("logs", item["run_id"], "--attempt", attempt,
                                           "--raw").stdout, f"{attempt}\n")

    def test_a_retry_waits_over_a_kill_of_the_agent(self):
        self.node.ctl("add", "over", "--manual", "--retry", "1", "--retry-delay", "8s", "--",
                      self.program, self.node.witness, 0, 0, 4)
        run = self.node.run_job("over")
        one_node.wait_until(
            lambda: [end for _, end, _ in self.lives("over") if end is not None] and
            self.node.run_of(run)["state"] in ("queued", "dispatched"), 30, "the retry waits")
        self.node.kill()
        self.node.start()
        item = self.node.wait(run)
        self.assertEqual((item["state"], item["attempt"]), ("failed", 2))
        self.assertEqual(len(self.lives("over")), 2)

    def test_a_kill_ends_the_retries(self):
        self.node.ctl("add", "killed", "--manual", "--retry", "3", "--retry-delay", "100ms",
                      "--command", "sleep 302")
        run = self.node.run_job("killed")
        self.node.wait_running(run)
        self.node.ctl("kill", run)
        item = self.node.wait(run)
        self.assertEqual((item["state"], item["reason"], item["attempt"]), ("killed", "user", 1))


class MisfireTest(WithNode):
    EVERY_S = 3

    def test_slots_of_a_downtime_follow_the_misfire_rule(self):
        rules = ("skip", "once", "all")
        for rule in rules:
            self.node.ctl("add", rule, "--schedule", f"@every {self.EVERY_S}s", "--misfire", rule,
                          "--misfire-window", "60s", "--concurrency",
                          "queue" if rule == "all" else "allow", "--",
                          self.program, self.node.witness, 0, 0, 0)
        one_node.wait_until(lambda: all(self.lives(rule) for rule in rules), 30, "each has run")
        self.node.kill()
        # Claims reach 2 s ahead; slots after that were nobody's.
        down = time.time() + 2.5
        time.sleep(4 * self.EVERY_S)
        up = time.time()
        self.node.start()
        after = up + 2 * self.EVERY_S
        one_node.wait_until(lambda: time.time() > after, 60, "two slots later")
        self.settle(*rules)
        missed = run_checker.slots(f"@every {self.EVERY_S}s", down, up - self.EVERY_S / 2)
        self.assertGreaterEqual(len(missed), 2)
        states = {rule: self.states(rule) for rule in rules}
        for slot in missed:
            self.assertEqual(states["skip"].get(slot), ("missed", "misfire_skip"))
            self.assertEqual(states["all"].get(slot), ("ok", None))
        newest = missed[-1]
        for slot in missed[:-1]:
            self.assertEqual(states["once"].get(slot), ("missed", "superseded"))
        # It is superseded itself when the next slot came before the agent was up again.
        self.assertIn(states["once"].get(newest), (("ok", None), ("missed", "superseded")))
        order = [start for start in run_checker.read_witness(
            self.node.witness.read_text().splitlines())[0] if start.job == "all"]
        self.assertEqual([start.slot for start in order], sorted({start.slot for start in order}))


class ClaimedTest(WithNode):
    def claimed(self, job):
        """The slot of a run that is claimed and starts in at least 0.7 s."""
        def look():
            for item in self.node.items("history", job, "--active"):
                slot = run_checker.epoch_of(item["scheduled_at"])
                if item["state"] == "dispatched" and slot - time.time() > 0.7:
                    return slot
            return None
        return int(one_node.wait_until(look, 60, f"{job} is claimed ahead"))

    def test_disable_cancels_a_claimed_slot(self):
        self.node.ctl("add", "off", "--schedule", "@every 4s", "--", self.program,
                      self.node.witness, 0, 0, 0)
        for _ in range(5):
            slot = self.claimed("off")
            self.settle("off")
            if self.node.edits[-1] < slot:
                break
            self.node.ctl("enable", "off")
        else:
            self.skipTest("this machine is too slow to disable within a second")
        time.sleep(max(0, slot - time.time()) + 1)
        self.assertEqual(self.states("off")[slot], ("cancelled", "disabled"))
        starts = run_checker.read_witness(self.node.witness.read_text().splitlines())[0]
        self.assertNotIn(slot, [start.slot for start in starts if start.job == "off"])

    def test_an_edited_job_runs_its_claimed_slot_once_in_the_new_version(self):
        self.node.ctl("add", "edit", "--schedule", "@every 4s", "--command", "echo 0")
        for number in range(1, 6):
            slot = self.claimed("edit")
            self.node.ctl("set", "edit", f"command=echo {number}")
            if time.time() < slot:
                break
        else:
            self.skipTest("this machine is too slow to edit within a second")
        found = one_node.wait_until(
            lambda: [item for item in self.node.items("history", "edit")
                     if run_checker.epoch_of(item["scheduled_at"]) == slot
                     and item["state"] in one_node.FINAL], 30, "the slot is final")
        self.settle("edit")
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["state"], "ok", found)
        self.assertEqual(self.node.ctl("logs", found[0]["run_id"], "--raw").stdout,
                         f"{number}\n")


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main()

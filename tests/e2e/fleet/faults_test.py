#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What happens to a cluster when members stop, go, come, or are lost for good."""

import os
import pathlib
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402
import ticks  # noqa: E402

TICK = ("add", "tick", "--schedule", "* * * * * *", "--dialect", "seconds", "--concurrency",
        "allow", "--misfire", "all", "--misfire-window", "60s", "--command")


def starts(witness):
    """How often each slot started."""
    found = {}
    for line in witness.read_text().splitlines():
        found[line] = found.get(line, 0) + 1
    return found


class FaultsTest(unittest.TestCase):
    def check_slots(self, some, witness, states=("ok",)):
        """No slot twice, none without a row, each row as it should be."""
        some.ctl("disable", "tick")
        one_node.wait_until(lambda: all(item["state"] in one_node.FINAL
                                        for item in some.history("tick")), 60, "all runs end")
        count = starts(witness)
        self.assertEqual([slot for slot, n in count.items() if n > 1], [])
        rows = {one_node.epoch_of(item["scheduled_at"]): item for item in some.history("tick")}
        self.assertEqual([slot for slot in count if int(slot) not in rows], [])
        for slot in range(min(rows), max(rows) + 1):
            self.assertIn(slot, rows)
            row = rows[slot]
            if row["state"] == "ok":
                self.assertEqual(count.get(str(slot)), 1, row)
            else:
                self.assertIn("reason", row)
                if row["reason"] != "disabled":
                    self.assertIn(row["state"], states, row)

    def test_a_stopped_scheduler_that_wakes_up_starts_nothing_twice(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            witness = three.folder / "witness"
            witness.touch()
            three[2].ctl(*TICK, f"echo $DISTCRON_SCHEDULED_EPOCH >> {witness}", "--on",
                         "name=n2")
            one_node.wait_until(lambda: len(starts(witness)) >= 2, 30, "it ticks")
            for seconds in (1, 3):
                victim = three.some_scheduler()
                os.kill(victim.agent.pid, signal.SIGSTOP)
                until = time.monotonic() + seconds
                one_node.wait_until(lambda: time.monotonic() > until, 60, "it is stopped")
                os.kill(victim.agent.pid, signal.SIGCONT)
                three.some_scheduler()
            seen = len(starts(witness))
            one_node.wait_until(lambda: len(starts(witness)) >= seen + 2, 30, "it ticks on")
            self.check_slots(three[2], witness)

    def test_after_a_power_failure_of_all_every_slot_is_accounted_for(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            witness = three.folder / "witness"
            witness.touch()
            three[1].ctl(*TICK, f"echo $DISTCRON_SCHEDULED_EPOCH >> {witness}")
            one_node.wait_until(lambda: len(starts(witness)) >= 3, 30, "it ticks")
            for member in three.members.values():
                member.kill()
            for member in three.members.values():
                member.start()
            some = three.some_scheduler()
            seen = len(starts(witness))
            one_node.wait_until(lambda: len(starts(witness)) >= seen + 3, 60, "it ticks on")
            self.check_slots(some, witness, ("ok", "missed", "unknown"))

    def test_a_removed_member_stops_and_may_not_come_back(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            gone = three[3]
            refused = three[1].ctl("node", "remove", "n3", "--yes", check=False)
            self.assertEqual(refused.returncode, 5, refused.stderr)
            three[1].ctl("node", "remove", "n3", "--force", "--yes")
            one_node.wait_until(lambda: gone.agent.poll() is not None, 30, "the agent of n3 ends")
            self.assertEqual(gone.agent.poll(), 77)
            names = [node["name"] for node in three[2].status()["nodes"]]
            self.assertEqual(names, ["n1", "n2"])
            again = gone.launch()
            one_node.wait_until(lambda: len(three[1].status()["nodes"]) == 2, 5, "two nodes")
            again.kill()
            again.wait()

    def test_a_member_leaves_in_order(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            three[2].ctl("node", "leave", "--yes")
            one_node.wait_until(lambda: three[2].agent.poll() is not None, 30, "n2 ends")
            self.assertEqual(three[2].agent.poll(), 0)
            three.wait_for_members(2)

    def test_who_leaves_while_the_other_is_off_waits_for_it(self):
        with fleet.Fleet(2) as two:
            two.wait_for_scheduler(1)
            two[1].ctl("node", "leave", "--yes")
            two[2].kill()  # most often before n1 has dropped its own vote, which takes a second
            until = time.monotonic() + 8
            one_node.wait_until(lambda: time.monotonic() > until, 60, "n2 is off")
            two[2].start()
            one_node.wait_until(lambda: two[1].agent.poll() is not None, 60, "n1 ends")
            self.assertEqual(two[1].agent.poll(), 0)
            two.wait_for_members(1)
            two.wait_for_scheduler(2)

    def test_who_leaves_with_nobody_there_hands_over_to_a_host_that_joins(self):
        with fleet.Fleet(2) as two:
            two.wait_for_scheduler(1)
            two.make_only_voter(1)
            two[2].kill()
            two[1].ctl("node", "leave", "--yes")
            two.add(3)
            one_node.wait_until(lambda: two[1].agent.poll() is not None, 60, "n1 ends")
            self.assertEqual(two[1].agent.poll(), 0)
            one_node.wait_until(lambda: two[3].scheduler() == 3, 60, "n3 schedules")
            two[3].ctl("add", "later", "--manual", "--command", "true")

    def test_the_scheduler_itself_may_be_removed(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            three[2].ctl("node", "remove", "n1", "--force", "--yes")
            one_node.wait_until(lambda: three[1].agent.poll() is not None, 30, "n1 ends")
            three.wait_for_members(2)
            three.wait_for_scheduler(2)  # whoever was elected first hands over
            three[3].ctl("add", "later", "--manual", "--command", "true")

    def test_the_last_one_left_becomes_the_cluster_when_forced(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            three[1].ctl("add", "job", "--manual", "--command", "echo alive")
            for number in (1, 2):
                three[number].kill()
            left = three[3]
            one_node.wait_until(lambda: left.status().get("quorum") is False, 30, "no quorum")
            wrong = left.ctl("cluster", "force-quorum", "--confirm", "other", check=False)
            self.assertNotEqual(wrong.returncode, 0)
            dry = left.ctl("cluster", "force-quorum", "--confirm", "distcron", "--dry-run")
            self.assertIn("nothing was stored", dry.stderr)
            self.assertFalse(left.status()["quorum"])
            left.ctl("cluster", "force-quorum", "--confirm", "distcron")
            one_node.wait_until(lambda: left.scheduler() == 3, 30, "n3 is the scheduler")
            run = left.run_job("job")
            self.assertEqual(left.wait(run)["state"], "ok")
            self.assertGreater(run, 1 << 20)
            # The others belong to an earlier life, and do no harm.
            three[1].agent = three[1].launch()
            one_node.wait_until(lambda: len(left.status()["nodes"]) == 1, 10, "one node")
            self.assertEqual(left.scheduler(), 3)

    def test_the_next_scheduler_gives_nothing_to_the_one_that_died(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            jobs = [f"j{number}" for number in range(8)]
            for job in jobs:  # by hash, some of them would run on n1
                three[1].ctl("add", job, "--manual", "--command", "true")
            three[1].kill()
            runs = [three[2].run_job(job) for job in jobs]
            ends = [three[2].wait(run, 20) for run in runs]
            self.assertEqual({end["state"] for end in ends}, {"ok"})
            self.assertNotIn("n1", {end["node"] for end in ends})

    def test_a_host_without_executor_gives_back_what_it_has_and_is_passed_over(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            jobs = [f"j{number}" for number in range(30)]
            for job in jobs:  # by hash, some of them run on n3
                three[1].ctl("add", job, "--manual", "--command", "true")
            runs = {job: three[1].run_job(job) for job in jobs}
            there = [job for job, run in runs.items() if three[1].wait(run)["node"] == "n3"]
            self.assertNotEqual(there, [])
            three[1].ctl("add", "bound", "--manual", "--on", "name=n3", "--command", "true")

            three[3].kill_executor_for_good()
            runs = [three[2].run_job(job) for job in jobs]  # nobody knows of it yet
            ends = [three[2].wait(run, 30) for run in runs]
            self.assertEqual({end["state"] for end in ends}, {"ok"}, ends)
            self.assertNotIn("n3", {end["node"] for end in ends})

            def is_told():
                return any("host n3 has no executor" in warning
                           for warning in three[1].status().get("warnings", []))

            one_node.wait_until(is_told, 30, "the scheduler says so")
            self.assertTrue(any("the executor is not there" in warning for warning in
                                three[3].status()["warnings"]))
            for job in there:
                self.assertEqual(three[2].wait(three[2].run_job(job), 30)["attempt"], 1)

            waiting = three[2].run_job("bound")
            one_node.wait_until(lambda: three[2].run_of(waiting).get("reason") == "host_down", 30,
                                "the run waits for its host")
            self.assertEqual(three[2].run_of(waiting)["state"], "queued")
            self.assertIn("host n3 has no executor", three[2].ctl("explain", waiting).stdout)
            three[3].kill()
            three[3].start()
            end = three[2].wait(waiting, 30)
            self.assertEqual((end["state"], end["node"]), ("ok", "n3"))
            one_node.wait_until(lambda: not is_told(), 30, "the scheduler says so no more")

    def test_a_drained_member_hands_over_and_takes_no_run(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            three[3].ctl("node", "drain", "n1")
            three.wait_for_scheduler(2)
            three[1].ctl("add", "any", "--manual", "--concurrency", "allow", "--command", "true")
            nodes = {three[1].wait(three[1].run_job("any"))["node"] for _ in range(5)}
            self.assertNotIn("n1", nodes)
            three[1].ctl("node", "undrain", "n1")
            three.wait_for_scheduler(1)

    def test_a_token_of_one_use_lets_one_host_in(self):
        with fleet.Fleet(1) as one:
            one.make_token(one[1], "--uses", 1)
            one.add(2)
            one.wait_for_members(2)
            third = fleet.Member(one.folder, 3, one.net, token=one.token)
            one.members[3] = third
            third.agent = third.launch()
            one_node.wait_until(lambda: third.agent.poll() is not None, 90, "it is refused")
            self.assertEqual(third.agent.poll(), 77)
            self.assertIn("node join-token", third.log_path.read_text())
            self.assertEqual(len(one[1].status()["nodes"]), 2)

    def test_a_running_agent_joins_by_command(self):
        with fleet.Fleet(1) as one:
            one.make_token(one[1], "--uses", 1)
            token = one.token.read_text().strip()
            one.token.unlink()
            second = one.add(2, own_key=True)
            second.ctl("node", "join", token)
            one.wait_for_members(2)
            self.assertEqual(second.ctl("whoami").returncode, 0)
            twice = second.ctl("node", "join", token, check=False)
            self.assertEqual(twice.returncode, 4, twice.stderr)

    def test_a_backup_of_a_running_cluster_is_restored_on_an_empty_machine(self):
        with fleet.Fleet(3) as three, fleet.Fleet(1) as other:
            three.wait_for_scheduler(1)
            three[1].ctl("add", "kept", "--manual", "--command", "echo restored")
            three[2].wait(three[2].run_job("kept"))
            job = ticks.Ticks(three.folder)
            job.add(three[1])
            job.wait_for_more(2)
            file = three.folder / "backup.db"
            three[2].ctl("cluster", "backup", file, "--verify")
            saved_at = int(time.time())
            job.wait_for_more(5)
            restored_at = int(time.time())
            empty = other[1]
            empty.stop()
            began = time.monotonic()
            empty.ctl("cluster", "restore", file, "--storage", empty.storage, "--confirm",
                      "distcron")
            empty.start()
            one_node.wait_until(lambda: empty.scheduler() is not None, 30, "it schedules")
            print(f"restored in {time.monotonic() - began:.1f} s", flush=True)
            empty.ctl("disable", "tick")
            one_node.wait_until(lambda: not empty.items("history", "--active"), 30, "runs end")
            self.check_slots_since_backup(empty, saved_at, restored_at)
            self.assertEqual([item["name"] for item in empty.items("list")], ["kept", "tick"])
            self.assertEqual(len(empty.history("kept")), 1)
            run = empty.run_job("kept")
            self.assertEqual(empty.wait(run)["state"], "ok")
            self.assertGreater(run, 1 << 20)

    def check_slots_since_backup(self, restored, saved_at, restored_at):
        """Each slot has one row; those that the other cluster may have run are unknown(restored)."""
        rows = {}
        for item in restored.history("tick"):
            slot = one_node.epoch_of(item["scheduled_at"])
            self.assertNotIn(slot, rows)
            rows[slot] = (item["state"], item.get("reason"))
        for slot in range(min(rows), max(rows) + 1):
            self.assertIn(slot, rows)
        # The claims of the last seconds before the backup are in it, without their ends.
        for slot in range(saved_at + 3, restored_at):
            self.assertEqual(rows[slot], ("unknown", "restored"), f"{slot - saved_at} s later")
        self.assertNotIn(None, [reason for state, reason in rows.values() if state != "ok"])


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main(verbosity=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Parts of a cluster lose sight of each other: one scheduler acts, no slot starts twice or is lost.
"""

import os
import pathlib
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import netns  # noqa: E402
import one_node  # noqa: E402
import ticks  # noqa: E402

ELECTION_S = 1
LOOK_AHEAD_S = 2
HOLD_S = 10  # how long a preferred member must be well before the role is given to it


def agree_on(members, number, seconds=60):
    one_node.wait_until(lambda: all(member.scheduler() == number for member in members), seconds,
                        f"{[member.name for member in members]} name n{number}")


def wait_for_no_quorum(member, seconds=30):
    one_node.wait_until(lambda: member.status().get("quorum") is False, seconds,
                        f"{member.name} has no quorum")


class PartitionTest(unittest.TestCase):
    def check_end(self, three, *jobs):
        """Healed: one scheduler, equal states, every slot accounted for."""
        some = three.some_scheduler()
        for job in jobs:
            job.wait_for_more(2)
            job.end(some)
        ticks.wait_for_same_state(three.alive())
        for job in jobs:
            self.assertEqual(job.faults(some), [])

    def test_a_scheduler_that_is_cut_off_starts_no_new_claim(self):
        with netns.NetFleet(3) as three:
            three.wait_for_scheduler(1)
            here, there = ticks.Ticks(three.folder, "here"), ticks.Ticks(three.folder, "there")
            here.add(three[1], on=1)
            there.add(three[1], on=2)
            here.wait_for_more(2)
            cut_at = time.time()
            three.network.cut(1)
            one_node.wait_until(lambda: three[2].scheduler() in (2, 3) and
                                three[2].scheduler() == three[3].scheduler(), 30, "an election")
            elected_s = time.time() - cut_at
            self.assertLess(elected_s, 10 * ELECTION_S)
            wait_for_no_quorum(three[1])
            self.assertNotIn("scheduler", three[1].status())
            refused = three[1].ctl("disable", "here", check=False)
            self.assertEqual(refused.returncode, 8, refused.stderr)
            self.assertEqual(three[1].ctl("list", check=False).returncode, 8)
            three[3].ctl("add", "meanwhile", "--manual", "--command", "true")
            there.wait_for_more(3)
            last = max(slot for slot, _ in here.starts())
            self.assertLessEqual(last, cut_at + ELECTION_S + LOOK_AHEAD_S)
            self.assertLessEqual(max(at for _, at in here.starts()), time.time() - 2)
            three.network.heal()
            healed_at = time.time()
            three.wait_for_scheduler(1, 240)  # a failed hand-over backs off for a minute or two
            print(f"cut off: elected {elected_s:.1f} s later; the last slot there was "
                  f"{last - cut_at:.1f} s after the cut; back {time.time() - healed_at:.1f} s "
                  "after the end", flush=True)
            self.check_end(three, here, there)
            self.assertIn("meanwhile", [job["name"] for job in three[1].items("list")])

    def test_a_follower_that_is_cut_off_disturbs_nobody_when_it_comes_back(self):
        with netns.NetFleet(3) as three:
            three.wait_for_scheduler(1)
            job = ticks.Ticks(three.folder)
            job.add(three[1], on=3)
            job.wait_for_more(2)
            term = three[1].status()["term"]
            three.network.split([3])
            wait_for_no_quorum(three[3])
            refused = three[3].ctl("disable", "tick", check=False)
            self.assertEqual(refused.returncode, 8, refused.stderr)
            three[2].ctl("add", "meanwhile", "--manual", "--command", "true")
            ticks.stay(3, lambda: three[2].scheduler() == 1, "n1 keeps the role")
            three.network.heal()
            agree_on(three.alive(), 1)
            self.assertEqual(three[3].status()["term"], term)
            self.check_end(three, job)
            self.assertIn("meanwhile", [job["name"] for job in three[3].items("list")])

    def test_a_scheduler_that_hears_but_is_not_heard_gives_the_role_up(self):
        with netns.NetFleet(3) as three:
            three.wait_for_scheduler(1)
            job = ticks.Ticks(three.folder)
            job.add(three[1], on=2)
            job.wait_for_more(2)
            three.network.drop(1, 2)
            three.network.drop(1, 3)
            agree_on([three[2], three[3]], 2)
            one_node.wait_until(lambda: three[1].scheduler() != 1, 30, "n1 steps down")
            job.wait_for_more(2)
            three.network.heal()
            self.check_end(three, job)

    def test_a_scheduler_that_is_heard_but_does_not_hear_gives_the_role_up(self):
        with netns.NetFleet(3) as three:
            three.wait_for_scheduler(1)
            job = ticks.Ticks(three.folder)
            job.add(three[1], on=2)
            job.wait_for_more(2)
            three.network.drop(2, 1)
            three.network.drop(3, 1)
            agree_on([three[2], three[3]], 2)
            one_node.wait_until(lambda: three[1].scheduler() != 1, 30, "n1 steps down")
            job.wait_for_more(2)
            three.network.heal()
            self.check_end(three, job)

    def test_one_broken_way_between_two_members_does_not_move_the_role_to_and_fro(self):
        with netns.NetFleet(3) as three:
            three.wait_for_scheduler(1)
            job = ticks.Ticks(three.folder)
            job.add(three[1], on=3)
            job.wait_for_more(2)
            # n2 and n3 lose each other; both have the scheduler.
            term = three[1].status()["term"]
            three.network.drop(2, 3)
            three.network.drop(3, 2)
            ticks.stay(4, lambda: three[1].scheduler() == 1, "n1 keeps the role")
            self.assertEqual(three[1].status()["term"], term)
            self.check_end(three, job)

    @unittest.skipUnless(os.environ.get("DISTCRON_LONG"), "over a minute; tests/long/network.sh")
    def test_a_flapping_scheduler_gets_the_role_back_late_and_later(self):
        with netns.NetFleet(3) as three:
            three.wait_for_scheduler(1)
            job = ticks.Ticks(three.folder)
            job.add(three[1], on=2)
            job.wait_for_more(2)
            for seconds in (2, 3, 4):
                three.network.cut(1)
                agree_on([three[2], three[3]], 2)
                ticks.stay(seconds - 1, lambda: three[2].scheduler() == 2, "n2 keeps the role")
                three.network.heal()
                agree_on(three.alive(), 2)
                ticks.stay(1, lambda: three[2].scheduler() == 2, "n2 keeps the role")
            first = self.time_back(three)
            three.network.cut(1)
            agree_on([three[2], three[3]], 2)
            three.network.heal()
            agree_on(three.alive(), 2)
            second = self.time_back(three)
            print(f"flapping: back after {first:.1f} s, then after {second:.1f} s", flush=True)
            self.assertGreater(second, 2 * HOLD_S - 3)
            self.check_end(three, job)

    def time_back(self, three):
        began = time.monotonic()
        three.wait_for_scheduler(1, 120)
        return time.monotonic() - began

    def test_members_that_have_all_lost_each_other_find_together_again(self):
        with netns.NetFleet(3) as three:
            three.wait_for_scheduler(1)
            job = ticks.Ticks(three.folder)
            job.add(three[1])
            job.wait_for_more(2)
            for number in three.members:
                three.network.cut(number)
            for member in three.alive():
                wait_for_no_quorum(member)
            three.network.heal()
            three.some_scheduler()
            self.check_end(three, job)


if __name__ == "__main__":
    one_node.skip_without_programs()
    netns.skip_unless_possible()
    unittest.main(verbosity=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What people see of runs whose host is silent, and how they free the places of such runs."""

import os
import pathlib
import signal
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402


class SilenceTest(unittest.TestCase):
    def test_a_silent_host_makes_its_run_suspect_and_its_place_can_be_released(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            some = three[2]
            some.ctl("add", "long", "--manual", "--on", "name=n3", "--command", "sleep 600")
            run = some.run_job("long")
            one_node.wait_until(lambda: some.run_of(run)["state"] == "running", 30, "it runs")
            self.assertNotIn("suspect", some.run_of(run))

            refused = some.ctl("lock", "release", "long", "--yes", check=False)
            self.assertEqual(refused.returncode, 5, refused.stderr)
            self.assertIn("its host is in touch", refused.stderr)
            locks = some.items("lock", "list")
            self.assertEqual([(item["name"], item["run_id"], item["state"], item["node"])
                              for item in locks], [("long", run, "running", "n3")])

            os.kill(three[3].agent.pid, signal.SIGSTOP)
            for number in (1, 2):
                one_node.wait_until(lambda: three[number].run_of(run).get("suspect"), 30,
                                    f"n{number} says that the host of the run is silent")
            self.assertEqual(some.run_of(run)["state"], "running")
            self.assertIn("running (host silent)", some.ctl("history", "long").stdout)
            self.assertIn("suspect", some.ctl("node", "list").stdout)
            skipped = some.run_job("long")
            self.assertEqual(some.wait(skipped)["reason"], "overlap")

            some.ctl("lock", "release", "long", "--yes", "--reason", "n3 is broken")
            freed = some.run_of(run)
            self.assertEqual((freed["state"], freed["reason"]), ("unknown", "host_unreachable"))
            self.assertEqual(some.items("lock", "list"), [])
            events = some.items("cluster", "events", "--type", "lock.released")
            self.assertEqual(len(events), 1, events)
            self.assertIn("n3 is broken", events[0]["text"])
            again = some.ctl("lock", "release", "long", "--yes", check=False)
            self.assertEqual(again.returncode, 5, again.stderr)

            # What the host says when it is back does not change the end, and the job runs again.
            os.kill(three[3].agent.pid, signal.SIGCONT)
            next_run = some.run_job("long")
            one_node.wait_until(lambda: some.run_of(next_run)["state"] == "running", 60,
                                "the next run starts")
            self.assertNotIn("suspect", some.run_of(next_run))
            self.assertEqual(some.run_of(run)["state"], "unknown")

            some.ctl("lock", "release", next_run, "--yes", "--force")
            self.assertEqual(some.run_of(next_run)["state"], "unknown")

    def test_of_two_nodes_the_chosen_survivor_goes_on_alone_and_the_other_never(self):
        with fleet.Fleet(2) as two:
            two.wait_for_scheduler(1)
            two.make_only_voter(1)
            two[1].ctl("add", "job", "--manual", "--on", "name=n1", "--command", "true")

            two[2].kill()
            run = two[1].run_job("job")
            self.assertEqual(two[1].wait(run)["state"], "ok")
            self.assertEqual(two[1].scheduler(), 1)

            two[2].start()
            one_node.wait_until(lambda: any(item["run_id"] == run and item["state"] == "ok"
                                            for item in two[2].items("history", "--stale")),
                                30, "n2 has what happened without it")
            two[1].kill()
            refused = two[2].ctl("run", "job", check=False)
            self.assertNotEqual(refused.returncode, 0, refused.stdout)
            self.assertIs(two[2].status().get("quorum"), False)
            self.assertIsNone(two[2].scheduler())

            two[1].start()
            self.assertEqual(two[1].wait(two[1].run_job("job"))["state"], "ok")


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main(verbosity=2)

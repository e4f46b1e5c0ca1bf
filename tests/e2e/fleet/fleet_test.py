#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three agents are one cluster: any of them takes commands, the lowest live one schedules."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402




class FleetTest(unittest.TestCase):
    def test_any_member_takes_commands_and_shows_what_ran_elsewhere(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            three[2].ctl("add", "hello", "--manual", "--on", "name=n3", "--command",
                         "echo hello from $DISTCRON_NODE")
            names = [item["name"] for item in three[3].items("list")]
            self.assertEqual(names, ["hello"])
            run = three[1].run_job("hello")
            item = three[2].wait(run)
            self.assertEqual((item["state"], item["node"], item["exit_code"]), ("ok", "n3", 0))
            for number in (1, 2, 3):
                text = three[number].ctl("logs", run, "--raw").stdout
                self.assertEqual(text, "hello from n3\n")
            three[3].ctl("set", "hello", "description=changed on n3")
            shown = three[2].ctl("show", "hello").stdout
            self.assertIn("changed on n3", shown)

    def test_the_lowest_live_member_schedules_and_takes_over_back_once(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            before = three[2].status()["term"]
            three[1].kill()
            three.wait_for_scheduler(2)
            three[1].start()
            three.wait_for_scheduler(1)
            after = three[3].status()["term"]
            # One term for each change, and perhaps one that nobody won.
            self.assertLessEqual(after - before, 4)
            told = [line for line in three[3].log_path.read_text().splitlines()
                    if "is the scheduler" in line]
            self.assertTrue(any("n2 is the scheduler" in line for line in told), told)
            self.assertIn("n1 is the scheduler", told[-1])

    def test_a_minority_answers_reads_on_request_and_takes_no_change(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            three[1].ctl("add", "job", "--manual", "--command", "true")
            three[1].kill()
            three[2].kill()
            left = three[3]
            one_node.wait_until(lambda: left.status()["quorum"] is False, 30, "no quorum")
            self.assertNotIn("scheduler", left.status())
            self.assertEqual(left.ctl("list", check=False).returncode, 8)
            self.assertEqual([item["name"] for item in left.items("list", "--stale")], ["job"])
            self.assertEqual(left.ctl("disable", "job", check=False).returncode, 8)
            three[1].start()
            three.some_scheduler()
            left.ctl("disable", "job")


if __name__ == "__main__":
    unittest.main(verbosity=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Members of two versions in one cluster. tests/long/versions.sh runs it: DISTCRON_OLD_BIN is a
folder with the programs of the feature level before this one."""

import json
import os
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402

OLD = pathlib.Path(os.environ.get("DISTCRON_OLD_BIN", "/nonexistent"))
STEP = 5  # slots between two changes
LEVEL = 3
OLD_LEVEL = LEVEL - 1


class VersionsTest(unittest.TestCase):
    def starts(self):
        """How often each slot started."""
        found = {}
        for line in self.witness.read_text().splitlines():
            found[line] = found.get(line, 0) + 1
        return found

    def tick_on(self, what):
        seen = len(self.starts())
        one_node.wait_until(lambda: len(self.starts()) >= seen + STEP, 60, f"it ticks on {what}")

    def add_tick(self, some, folder):
        self.witness = folder / "witness"
        self.witness.touch()
        some.ctl("add", "tick", "--schedule", "* * * * * *", "--dialect", "seconds", "--concurrency",
                 "allow", "--misfire", "all", "--misfire-window", "60s", "--route", "round-robin",
                 "--command", f"echo $DISTCRON_SCHEDULED_EPOCH >> {self.witness}")
        self.tick_on("at first")

    def upgrade_check(self, some, levels):
        """What cluster upgrade --check says, once all members are there."""

        def said():
            done = some.ctl("cluster", "upgrade", "--check", "-o", "json", check=False)
            answer = json.loads(done.stdout or "{}")
            found = {item["name"]: item["feature_level"] for item in answer.get("items", [])}
            return done.returncode == 0 and found == levels and answer

        answer = one_node.wait_until(said, 60, f"one more agent may be stopped, levels {levels}")
        self.assertEqual(answer["feature_level"], min(levels.values()))

    def change(self, member, programs):
        self.assertEqual(member.stop(), 0)
        member.bin = programs
        member.start()

    def check_gate(self, some, is_open):
        """A job that the older version would not do justice to waits for it."""
        done = some.ctl("add", "alone", "--schedule", "@yearly", "--on", "name=n1", "--on-no-quorum",
                        "run-local", "--command", "true", check=False)
        self.assertEqual(done.returncode, 0 if is_open else 8, done.stderr)
        if not is_open:
            self.assertIn("not all nodes have a version", done.stderr)

    def check_slots(self, members):
        some = members[0]
        some.ctl("disable", "tick")
        one_node.wait_until(lambda: all(item["state"] in one_node.FINAL
                                        for item in some.history("tick")), 60, "all runs end")
        count = self.starts()
        self.assertEqual([slot for slot, n in count.items() if n > 1], [])
        rows = {one_node.epoch_of(item["scheduled_at"]): item for item in some.history("tick")}
        for slot in range(min(rows), max(rows) + 1):
            self.assertIn(slot, rows)
            if rows[slot]["state"] == "ok":
                self.assertEqual(count.get(str(slot)), 1, rows[slot])
            else:
                self.assertEqual(rows[slot].get("reason"), "disabled", rows[slot])
        print(f"{len(count)} slots, each started once")
        told = [[(item["run_id"], item["state"], item["attempt"], item["node"])
                 for item in member.history("tick")] for member in members]
        for other in told[1:]:
            self.assertEqual(other, told[0])

    def test_three_old_members_are_upgraded_one_by_one_while_a_job_ticks(self):
        with fleet.Fleet(3, programs=OLD) as three:
            three.wait_for_scheduler(1)
            self.add_tick(three[1], three.folder)
            levels = dict.fromkeys(("n1", "n2", "n3"), OLD_LEVEL)
            for number in (3, 2, 1):
                self.upgrade_check(three[2 if number != 2 else 3], levels)
                self.change(three[number], one_node.BIN)
                levels[f"n{number}"] = LEVEL
                self.tick_on(f"with n{number} upgraded")
                self.upgrade_check(three[number], levels)
                self.check_gate(three[number], is_open=number == 1)
            self.check_slots([three[1], three[2], three[3]])

    def test_an_old_member_joins_two_new_ones_and_may_lead(self):
        with fleet.Fleet(2) as three:
            three.more = {"programs": OLD}
            three.add(3)
            three.wait_for_members(3)
            self.add_tick(three[1], three.folder)
            self.upgrade_check(three[1], {"n1": LEVEL, "n2": LEVEL, "n3": OLD_LEVEL})
            self.check_gate(three[1], is_open=False)
            three[1].ctl("cluster", "stepdown", "--to", "n3")
            one_node.wait_until(lambda: three[1].scheduler() == 3, 30, "n3 is the scheduler")
            self.tick_on("with the old one as scheduler")
            three.wait_for_members(3)
            self.upgrade_check(three[2], {"n1": LEVEL, "n2": LEVEL, "n3": OLD_LEVEL})
            self.change(three[3], one_node.BIN)
            self.tick_on("with all of them new")
            self.upgrade_check(three[2], {"n1": LEVEL, "n2": LEVEL, "n3": LEVEL})
            self.check_slots([three[1], three[2], three[3]])


if __name__ == "__main__":
    one_node.skip_without_programs()
    if not (OLD / "distcrond").exists():
        one_node.skip(f"no older programs in {OLD}")
    unittest.main(verbosity=2)

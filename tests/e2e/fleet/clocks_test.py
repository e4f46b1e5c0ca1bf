#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hosts whose wall clocks are wrong start runs by the scheduler's clock all the same."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402

SLOTS = 6  # of each job, two seconds apart
AHEAD, BEHIND = 10, -10
LATE_S = 3  # a second of waiting for its own clock, and what the machine does beside


class ClocksTest(unittest.TestCase):
    def test_hosts_ten_seconds_ahead_and_behind_start_on_time(self):
        with tempfile.TemporaryDirectory(prefix="distcron-shim.") as folder:
            shim = pathlib.Path(folder) / "clock_shim.so"
            one_node.compile_c("clock_shim.c", shim, "-shared", "-fPIC")
            with fleet.Fleet(1) as three:
                three.make_token(three[1])
                for number, offset in ((2, AHEAD), (3, BEHIND)):
                    three.more = {"environment": {"LD_PRELOAD": str(shim),
                                                  "CLOCK_SHIM_OFFSET": str(offset)}}
                    three.add(number)
                    three[1].ctl("node", "set", f"n{number}", "eligible=false")
                three.wait_for_members(3)
                three.wait_for_scheduler(1)
                self.check(three)

    def check(self, three):
        some = three[1]
        offsets = {node["name"]: node["clock_offset_ms"] for node in some.status()["nodes"]}
        self.assertAlmostEqual(offsets["n2"], AHEAD * 1000, delta=1000)
        self.assertAlmostEqual(offsets["n3"], BEHIND * 1000, delta=1000)
        warnings = " ".join(some.status().get("warnings", []))
        about_ten = r"(9\.[5-9]|10\.[0-5])"
        self.assertRegex(warnings, f"n2 is {about_ten} s ahead of the scheduler's")
        self.assertRegex(warnings, f"n3 is {about_ten} s behind the scheduler's")

        witness = three.folder / "witness"
        witness.touch()
        jobs = {name: f"on-{name}" for name in ("n1", "n2", "n3")}
        for name, job in jobs.items():
            some.ctl("add", job, "--schedule", "*/2 * * * * *", "--dialect", "seconds", "--on",
                     f"name={name}", "--concurrency", "allow", "--command",
                     f'echo "{name} $DISTCRON_SCHEDULED_EPOCH $(date +%s.%N)" >> {witness}')

        def seen(name):
            return [line.split() for line in witness.read_text().splitlines()
                    if line.startswith(name)]

        for name in jobs:
            one_node.wait_until(lambda: len(seen(name)) >= SLOTS, 60, f"{name} runs {SLOTS} slots")
        some.ctl("disable", *jobs.values())
        for name, job in jobs.items():
            one_node.wait_until(lambda: all(item["state"] in one_node.FINAL
                                            for item in some.history(job)), 60, "all runs end")
            late = [float(at) - int(slot) for _, slot, at in seen(name)]
            print(f"{name}: {len(late)} starts, {min(late):.3f} to {max(late):.3f} s late")
            self.assertGreaterEqual(min(late), -0.1 if name == "n2" else 0)
            self.assertLess(max(late), LATE_S)
            rows = [item for item in some.history(job) if item["state"] != "cancelled"]
            self.assertEqual({item["state"] for item in rows}, {"ok"}, rows)
            self.assertEqual({item["attempt"] for item in rows}, {1}, rows)
            # The record says when it started by the scheduler's clock.
            self.assertLess(max(abs(item["lateness_ms"]) for item in rows), LATE_S * 1000)


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main(verbosity=2)

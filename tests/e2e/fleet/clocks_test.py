#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hosts whose wall clocks are wrong start runs by the scheduler's clock all the same; one whose clock
cannot be right starts nothing."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402
import ticks  # noqa: E402

SLOTS = 6  # of each job, two seconds apart
AHEAD, BEHIND = 10, -10
BEFORE = -120  # more than 5 min would be too far from the scheduler's, trusted or not
ZONE = "Europe/Berlin"
# What a host is without that zone: nothing lies where it is.
WITHOUT_ZONE = ["unshare", "--mount", "sh", "-c",
                'mount -t tmpfs none /usr/share/zoneinfo/Europe && exec "$@"', "sh"]
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

    def test_a_host_that_comes_up_before_what_has_passed_waits(self):
        with tempfile.TemporaryDirectory(prefix="distcron-shim.") as folder:
            shim = pathlib.Path(folder) / "clock_shim.so"
            one_node.compile_c("clock_shim.c", shim, "-shared", "-fPIC")
            self.offset = pathlib.Path(folder) / "offset"
            self.offset.write_text("0")
            with fleet.Fleet(1) as three:
                three.make_token(three[1])
                three.add(2)
                three.more = {"environment": {"LD_PRELOAD": str(shim),
                                              "CLOCK_SHIM_FILE": str(self.offset)}}
                three.add(3)
                three.wait_for_members(3)
                tick = ticks.Ticks(three.folder)
                tick.add(three[1], on=3)
                tick.wait_for_more(3)

                self.come_up_early(three, tick)
                self.offset.write_text("0")
                self.check_goes_on(three, tick, "its clock is set right")

                self.come_up_early(three, tick)
                three[3].ctl("cluster", "settings", "clock", "trust")
                self.check_goes_on(three, tick, "somebody trusts it")
                tick.end(three[1])
                # While it waited the slots waited as well, and the window is two minutes.
                self.assertEqual(tick.faults(three[1]), [])

    def test_a_scheduler_without_a_zone_says_so_and_another_runs_its_jobs(self):
        if subprocess.run([*WITHOUT_ZONE, "true"], capture_output=True, check=False).returncode:
            self.skipTest("no mount namespaces here")
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            tick = ticks.Ticks(three.folder)
            three[1].kill()
            three[1].prefix = WITHOUT_ZONE
            three[1].start()
            three.wait_for_scheduler(1)
            tick.add(three[2], more=("--tz", ZONE))
            one_node.wait_until(lambda: any(ZONE in warning for warning in
                                            three[1].status().get("warnings", [])), 30,
                                "n1 says that it does not know the zone")
            self.assertEqual(tick.starts(), [])
            three[1].kill()
            tick.wait_for_more(3)
            three[1].prefix = []
            three[1].start()
            three.wait_for_scheduler(1)
            tick.wait_for_more(3)
            tick.end(three[1])
            self.assertEqual(tick.faults(three[1]), [])

    def come_up_early(self, three, tick):
        three[3].kill()
        self.offset.write_text(str(BEFORE))
        three[3].start()
        one_node.wait_until(lambda: self.waits(three), 30, "n3 says that its starts wait")
        # The scheduler knows; what it had handed to the host before is over.
        one_node.wait_until(lambda: self.reasons(three, tick, "queued") == {"clock"} and
                            not self.reasons(three, tick, "dispatched", "running"), 30,
                            "no run is on its way to n3")
        count = len(tick.starts())
        ticks.stay(5, lambda: len(tick.starts()) == count, "n3 starts nothing")
        self.assertTrue(self.waits(three))

    def check_goes_on(self, three, tick, why):
        tick.wait_for_more(3)
        self.assertFalse(self.waits(three), why)

    @staticmethod
    def reasons(three, tick, *states):
        return {item.get("reason") for item in three[1].history(tick.name)
                if item["state"] in states}

    @staticmethod
    def waits(three):
        warnings = " ".join(three[3].status().get("warnings", []))
        return "which has passed; starts wait" in warnings

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

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checker judges hand-made histories: for each class one that is allowed and one not."""

import datetime
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import run_checker  # noqa: E402

BASE = 1_800_000_000  # a multiple of 10


def stamp(t):
    return datetime.datetime.fromtimestamp(t, datetime.timezone.utc).isoformat(
        timespec="microseconds").replace("+00:00", "Z")


def output_of(first, last):
    return b"".join(b"L %010d " % n + b"." * 50 + b"\n" for n in range(first, last + 1))


class History:
    """One job of every 10 s with one slot at BASE; each test adds what happened to it."""

    def __init__(self, **job):
        self.job = run_checker.Job("j", "@every 10s", BASE - 5, BASE + 5, **job)
        self.evidence = run_checker.Evidence([], [])

    def start(self, t=0.0, run=1, slot=BASE, attempt=1):
        self.evidence.witness.append(f"START {run} j {slot} {attempt} 99 {BASE + t:.6f}")
        return self

    def end(self, t=1.0, run=1, attempt=1, code=0, lines=0):
        self.evidence.witness.append(f"END {run} {attempt} {code} {lines} {BASE + t:.6f}")
        return self

    def row(self, state="ok", run=1, slot=BASE, attempt=1, began=0.0, ended=1.0, **more):
        row = {"run_id": run, "job": "j", "scheduled_at": stamp(slot), "state": state,
               "attempt": attempt, "trigger": "schedule", **more}
        if state in run_checker.RAN | {"unknown", "running"}:
            row["started_at"] = stamp(BASE + began)
            if state != "running":
                row["ended_at"] = stamp(BASE + ended)
        if state == "ok":
            row.setdefault("exit_code", 0)
        self.evidence.rows.append(row)
        return self

    def output(self, kept, run=1, attempt=1):
        self.evidence.outputs[run, attempt] = kept
        return self

    def fault(self, begin, end):
        self.evidence.faults.append(run_checker.Fault(BASE + begin, BASE + end, "kill agent"))
        return self

    def edit(self, t):
        self.evidence.edits.append(BASE + t)
        return self

    def ran(self, t=0.0, **more):
        """A good run that started `t` s after its slot."""
        return self.start(t).row(began=t, ended=t + 1, **more).end(t + 1)


class CheckerTest(unittest.TestCase):
    def judge(self, history, **options):
        return run_checker.Checker([history.job], history.evidence, BASE + 100, **options).run()

    def good(self, history, kind, **options):
        report = self.judge(history, **options)
        self.assertEqual(report.faults, [])
        self.assertEqual(report.counts[kind], 1)

    def bad(self, history, kind, **options):
        report = self.judge(history, **options)
        self.assertEqual([fault.partition(":")[0] for fault in report.faults], [kind])

    def test_a_start_within_a_second_is_on_time(self):
        self.good(History().ran(0.9), "ON-TIME")

    def test_a_start_before_its_slot_is_early(self):
        self.bad(History().ran(-0.2), "EARLY")

    def test_a_late_start_is_allowed_after_a_fault(self):
        self.good(History().ran(3).fault(-1, 2), "LATE", late_is_fault=True)

    def test_a_late_start_without_a_fault_is_one_on_a_machine_of_our_own(self):
        self.bad(History().ran(3), "LATE", late_is_fault=True)

    def test_a_late_start_on_a_busy_machine_is_counted_only(self):
        self.good(History().ran(3), "LATE")

    def test_a_start_after_the_window_is_a_fault(self):
        self.bad(History(window_s=10).ran(11).fault(0, 11), "AFTER-DEADLINE")

    def test_a_queued_run_may_start_after_the_window(self):
        self.good(History(window_s=10, concurrency="queue").ran(11), "AFTER-DEADLINE")

    def test_a_slot_with_neither_start_nor_row_is_lost(self):
        self.bad(History(), "LOST")

    def test_a_slot_that_ran_only_in_the_history_is_lost(self):
        self.bad(History().row("ok"), "LOST")

    def test_a_slot_that_is_still_alive_in_the_history_is_lost(self):
        self.bad(History().row("running"), "LOST")

    def test_a_start_without_a_row_is_lost_and_orphaned(self):
        report = self.judge(History().start().end())
        self.assertEqual(dict(report.counts), {"LOST": 1, "ORPHANED": 1})
        self.assertEqual(len(report.faults), 2)

    def test_two_starts_of_one_slot_are_a_duplicate(self):
        self.bad(History().ran().start(0.1), "DUPLICATE")

    def test_two_starts_of_one_slot_under_two_runs_are_a_duplicate(self):
        self.bad(History().ran().start(2, run=2).end(3, run=2).row(run=2, began=2, ended=3),
                 "DUPLICATE")

    def test_two_rows_of_one_slot_are_a_duplicate(self):
        self.bad(History().ran().row("missed", run=2, attempt=0, reason="too_late"), "DUPLICATE")

    def test_a_retry_after_a_failure_is_no_duplicate(self):
        history = History(retry=1).start().end(1, code=1).row("failed", exit_code=1)
        history.start(2, attempt=2).end(3, attempt=2).row(attempt=2, began=2, ended=3)
        self.good(history, "ON-TIME")

    def test_a_retry_beside_the_first_attempt_is_a_duplicate(self):
        history = History(retry=1).start().end(5, code=1).row("failed", exit_code=1, ended=5)
        history.start(2, attempt=2).end(3, attempt=2).row(attempt=2, began=2, ended=3)
        self.bad(history, "DUPLICATE")

    def test_a_retry_after_success_is_a_duplicate(self):
        history = History(retry=1).ran()
        history.start(2, attempt=2).end(3, attempt=2).row(attempt=2, began=2, ended=3)
        self.bad(history, "DUPLICATE")

    def test_a_start_off_the_schedule_is_a_phantom(self):
        history = History().ran().start(3, run=2, slot=BASE + 3).end(4, run=2)
        self.bad(history.row(run=2, slot=BASE + 3, began=3, ended=4), "PHANTOM")

    def test_a_start_long_after_the_job_was_disabled_is_a_phantom(self):
        history = History().ran().start(10, run=2, slot=BASE + 10).end(11, run=2)
        self.bad(history.row(run=2, slot=BASE + 10, began=10, ended=11), "PHANTOM")

    def test_a_start_beside_the_edit_is_allowed(self):
        history = History()
        history.job.active_until = BASE - 1
        self.good(history.ran(), "ON-TIME")

    def test_a_slot_beside_the_edit_may_be_absent(self):
        history = History()
        history.job.active_until = BASE - 1
        self.assertEqual(self.judge(history).faults, [])

    def test_a_manual_run_is_no_phantom(self):
        history = History().ran().start(3, run=2, slot=BASE + 3).end(4, run=2)
        self.good(history.row(run=2, slot=BASE + 3, began=3, ended=4, trigger="manual"), "ON-TIME")

    def test_another_exit_code_is_misreported(self):
        self.bad(History().start().end(code=3).row("failed", exit_code=4), "MISREPORTED")

    def test_a_failure_told_as_ok_is_misreported(self):
        self.bad(History().start().end(code=3).row("ok", exit_code=3), "MISREPORTED")

    def test_a_run_that_ended_by_itself_must_not_be_unknown(self):
        history = History().start().end().row("unknown", reason="supervisor_lost").fault(0, 1)
        self.bad(history, "MISREPORTED")

    def test_a_wrong_start_time_is_misreported(self):
        self.bad(History().start(0.5).end().row(began=0.0), "MISREPORTED")

    def test_a_wrong_end_time_is_misreported(self):
        self.bad(History().start().end(2).row(ended=1), "MISREPORTED")

    def test_a_start_told_as_missed_is_misreported(self):
        history = History().start().row("missed", reason="too_late").fault(0, 1)
        report = self.judge(history)
        self.assertIn("MISREPORTED", report.counts)
        self.assertTrue(report.faults)

    def test_a_failure_with_its_code_is_reported_rightly(self):
        self.good(History().start().end(code=3).row("failed", exit_code=3), "ON-TIME")

    def test_a_killed_run_may_have_no_end(self):
        self.good(History().start().row("killed", reason="user"), "INCOMPLETE")

    def test_a_run_without_an_end_must_not_be_ok(self):
        self.bad(History().start().row("ok"), "INCOMPLETE")

    def test_an_unknown_run_without_a_fault_is_incomplete(self):
        self.bad(History().start().row("unknown", reason="supervisor_lost"), "INCOMPLETE")

    def test_an_unknown_run_after_a_fault_is_explained(self):
        history = History().start().row("unknown", reason="host_reboot").fault(0.5, 1)
        self.good(history, "INCOMPLETE")

    def test_whole_output_is_kept(self):
        history = History(checks_output=True).start().end(lines=9).row(output_bytes=576)
        self.good(history.output(output_of(1, 9)), "OUTPUT-KEPT")

    def test_a_gap_in_the_output_is_lost_output(self):
        history = History(checks_output=True).start().end(lines=9).row(output_bytes=576)
        self.bad(history.output(output_of(1, 4) + output_of(6, 9)), "OUTPUT-LOST")

    def test_a_missing_last_line_is_lost_output(self):
        history = History(checks_output=True).start().end(lines=9).row(output_bytes=576)
        self.bad(history.output(output_of(1, 8)), "OUTPUT-LOST")

    def test_a_byte_count_that_is_too_small_is_lost_output(self):
        history = History(checks_output=True).start().end(lines=9).row(output_bytes=512)
        self.bad(history.output(output_of(1, 8)), "OUTPUT-LOST")

    def test_no_output_at_all_is_lost_output(self):
        history = History(checks_output=True).start().end(lines=9).row(output_bytes=576)
        self.bad(history, "OUTPUT-LOST")

    def test_a_cut_that_is_marked_is_allowed(self):
        history = History(checks_output=True).start().end(lines=9)
        history.row(output_bytes=576, output_truncated=True)
        kept = output_of(1, 3)[:-20] + output_of(7, 9)[-150:]
        self.good(history.output(kept), "OUTPUT-CUT")

    def test_two_gaps_are_more_than_one_cut(self):
        history = History(checks_output=True).start().end(lines=9)
        history.row(output_bytes=576, output_truncated=True)
        kept = output_of(1, 2) + output_of(4, 5) + output_of(8, 9)
        self.bad(history.output(kept), "OUTPUT-LOST")

    def test_a_mark_without_a_cut_is_misreported(self):
        history = History(checks_output=True).start().end(lines=9)
        history.row(output_bytes=576, output_truncated=True)
        self.bad(history.output(output_of(1, 9)), "MISREPORTED")

    def test_a_miss_after_a_fault_is_accounted_for(self):
        self.good(History().row("missed", attempt=0, reason="misfire_skip").fault(-1, 2),
                  "ACCOUNTED-MISS")

    def test_a_miss_without_a_fault_is_not(self):
        self.bad(History().row("missed", attempt=0, reason="too_late"), "ACCOUNTED-MISS")

    def test_a_miss_without_a_known_reason_is_never_accepted(self):
        self.bad(History().row("missed", attempt=0, reason="other").fault(0, 1), "ACCOUNTED-MISS")

    def test_a_cancelled_slot_needs_an_edit(self):
        self.bad(History().row("cancelled", attempt=0, reason="disabled"), "ACCOUNTED-MISS")
        self.good(History().row("cancelled", attempt=0, reason="disabled").edit(-1),
                  "ACCOUNTED-MISS")

    def test_an_overlap_needs_a_run_that_is_alive(self):
        self.bad(History().row("skipped", attempt=0, reason="overlap"), "ACCOUNTED-MISS")
        history = History().row("skipped", attempt=0, reason="overlap")
        history.job.active_from = BASE - 15
        history.start(-10, run=2, slot=BASE - 10).end(1, run=2)
        self.good(history.row(run=2, slot=BASE - 10, began=-10, ended=1), "ACCOUNTED-MISS")

    def test_an_overlap_after_the_earlier_run_has_ended_is_a_fault(self):
        history = History().row("skipped", attempt=0, reason="overlap")
        history.job.active_from = BASE - 15
        history.start(-10, run=2, slot=BASE - 10).end(-5, run=2)
        self.bad(history.row(run=2, slot=BASE - 10, began=-10, ended=-5), "ACCOUNTED-MISS")

    def test_the_oracle_knows_intervals_and_seconds(self):
        self.assertEqual(run_checker.slots("@every 7s", 13, 29), [14, 21, 28])
        self.assertEqual(run_checker.slots("*/20 * * * * *", 60, 121), [80, 100, 120])
        self.assertEqual(run_checker.slots("* * * * * *", 1.5, 4), [2, 3])
        for unknown in ("*/7 * * * * *", "@every 0s", "0 0 * * *"):
            with self.assertRaises(ValueError):
                run_checker.slots(unknown, 0, 100)

    def test_a_torn_line_of_the_witness_is_an_error(self):
        history = History().ran()
        history.evidence.witness.append("START 1 j")
        with self.assertRaises(ValueError):
            self.judge(history)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""1,000 jobs of a crontab that are due in the same second: each starts once, all are accounted for.

How late they start is printed, not judged: the machine may do much else. DISTCRON_HERD: how many.
"""

import collections
import os
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import one_node  # noqa: E402
import run_checker  # noqa: E402

LEAD_S = 20  # what the import may take


def write_table(node, program, count):
    """A table whose lines are all due at one minute; returns that instant."""
    slot = (int(time.time() + LEAD_S) // 60 + 1) * 60
    at = time.gmtime(slot)
    lines = [f"{at.tm_min} {at.tm_hour} {at.tm_mday} {at.tm_mon} * "
             f"N={number} {program} {node.witness} 0 0 0\n" for number in range(count)]
    table = node.folder / "table"
    table.write_text("CRON_TZ=UTC\nMAILTO=\"\"\n" + "".join(lines))
    return slot, table


def judge(node, slot, count, imported):
    faults = []
    starts, ends = run_checker.read_witness(node.witness.read_text().splitlines())
    per_job = collections.Counter(start.job for start in starts)
    faults += [f"{job} started {times} times" for job, times in per_job.items() if times != 1]
    faults += [f"{job} never started" for job in imported if job not in per_job]
    faults += [f"{start.job}: slot {start.slot}" for start in starts if start.slot != slot]
    faults += [f"run {start.run} has no end" for start in starts
               if len(ends[start.run, start.attempt]) != 1]
    rows = node.items("history", "--limit", 10 * count)
    states = collections.Counter((row["state"], row.get("reason", "")) for row in rows)
    if states != {("ok", ""): count}:
        faults.append(f"rows: {dict(states)}")
    late = sorted(start.t - slot for start in starts)
    figures = {"jobs": count, "retried": sum(row["attempt"] > 1 for row in rows)}
    if late:
        figures |= {"first_s": round(late[0], 3), "p50_s": round(late[len(late) // 2], 3),
                    "p99_s": round(late[len(late) * 99 // 100], 3), "last_s": round(late[-1], 3)}
        released = sorted(row["lateness_ms"] for row in rows if "lateness_ms" in row)
        figures |= {"released_p50_ms": released[len(released) // 2],
                    "released_last_ms": released[-1]}
        if late[0] < -run_checker.EARLY_S:
            faults.append(f"the first started {-late[0]} s too early")
    return faults, figures


def main():
    one_node.skip_without_programs()
    count = int(os.environ.get("DISTCRON_HERD", "1000"))
    with one_node.OneNode() as node:
        program = node.folder / "witness_job"
        one_node.compile_c("witness_job.c", program)
        slot, table = write_table(node, program, count)
        begin = time.time()
        # Debian's dialect has no CRON_TZ; cronie's has.
        items = node.items("import", "crontab", table, "--dialect", "cronie", "--enable")
        took = time.time() - begin
        imported = [item["job"] for item in items if item["status"] == "imported" and
                    item.get("job")]
        if len(set(imported)) != count:
            raise AssertionError(f"{len(set(imported))} of {count} lines were imported")
        if time.time() > slot - 3:
            one_node.skip(f"the import took {took:.1f} s on this busy machine")
        time.sleep(max(0, slot - time.time()))
        one_node.wait_until(
            lambda: len(node.items("history", "--limit", 10 * count)) >= count
            and not node.items("history", "--active"), 300, "all runs have ended")
        faults, figures = judge(node, slot, count, imported)
        status = one_node.report("herd", faults, import_s=round(took, 2), **figures)
        if status:
            raise SystemExit(status)
    return 0


if __name__ == "__main__":
    sys.exit(main())

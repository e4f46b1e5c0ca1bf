#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Thirty agents on one machine for ten minutes: one scheduler, no election, every slot accounted for.

A job runs on all of them every ten seconds, another on one of them each second. Prints the
processor time and the memory of an agent. DISTCRON_SOAK_SECONDS (default 600), DISTCRON_AGENTS.
"""

import collections
import os
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402

ALL_EVERY_S = 10


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_of(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def add_jobs(some, witness):
    echo = f"echo $DISTCRON_JOB $DISTCRON_SCHEDULED_EPOCH $DISTCRON_NODE >> {witness}"
    some.ctl("add", "one", "--schedule", "* * * * * *", "--dialect", "seconds", "--on", "name=n*",
             "--concurrency", "allow", "--route", "round-robin", "--command", echo)
    some.ctl("add", "everywhere", "--schedule", f"*/{ALL_EVERY_S} * * * * *", "--dialect",
             "seconds", "--on", "name=n*", "--target", "all", "--concurrency", "allow",
             "--command", echo)


def check(some, witness, size):
    faults = []
    some.ctl("disable", "one", "everywhere")
    one_node.wait_until(lambda: not some.items("history", "--active"), 60, "all runs end")
    starts = collections.Counter(tuple(line.split()) for line in witness.read_text().splitlines())
    faults += [f"started {n} times: {start}" for start, n in starts.items() if n > 1]
    states, late = collections.Counter(), []
    for job, per_slot, every_s in (("one", 1, 1), ("everywhere", size, ALL_EVERY_S)):
        rows = collections.defaultdict(list)
        for item in some.history(job):
            rows[one_node.epoch_of(item["scheduled_at"])].append(item)
            states[item["state"] + (f"({item['reason']})" if "reason" in item else "")] += 1
            late += [item["lateness_ms"]] if "lateness_ms" in item else []
        for slot in range(min(rows), max(rows) + 1, every_s):
            found = rows.get(slot, [])
            if len(found) != per_slot and all(item["state"] == "ok" for item in found):
                faults.append(f"{job} at {slot}: {len(found)} rows, not {per_slot}")
            ran = sum(n for (name, at, _), n in starts.items() if name == job and int(at) == slot)
            ok = sum(item["state"] == "ok" for item in found)
            if ran != ok:
                faults.append(f"{job} at {slot}: {ran} starts, {ok} rows say ok")
    return faults, dict(states), sorted(late)


def main():
    one_node.skip_without_programs()
    size = int(os.environ.get("DISTCRON_AGENTS", "30"))
    length = int(os.environ.get("DISTCRON_SOAK_SECONDS", "600"))
    with fleet.Fleet(size, sets=["output.keep.runs=1000000"]) as many:
        many.wait_for_scheduler(1, 120)
        witness = many.folder / "witness"
        witness.touch()
        some = many[size]
        add_jobs(some, witness)
        one_node.wait_until(lambda: witness.read_text(), 60, "they run")
        term = some.status()["term"]
        pids = {member.name: member.agent.pid for member in many.alive()}
        before, begun = {name: cpu_of(pid) for name, pid in pids.items()}, time.monotonic()
        time.sleep(length)
        span = time.monotonic() - begun
        cpu = {name: (cpu_of(pid) - before[name]) / span for name, pid in pids.items()}
        pss = sorted(pss_of(pid) for pid in pids.values())
        terms = {member.status()["term"] for member in many.alive()}
        faults, states, late = check(some, witness, size)
        if terms != {term}:
            faults.append(f"elections: the term was {term}, now {sorted(terms)}")
        others = sorted(used for name, used in cpu.items() if name != "n1")
        return one_node.report(
            "agents", faults, agents=size, seconds=length, runs=states,
            late_p50_ms=late[len(late) // 2], late_p99_ms=late[len(late) * 99 // 100],
            late_max_ms=late[-1], scheduler_cpu_percent=round(cpu["n1"] * 100, 2),
            agent_cpu_percent=round(others[len(others) // 2] * 100, 2),
            agent_pss_kib=pss[len(pss) // 2])


if __name__ == "__main__":
    sys.exit(main())

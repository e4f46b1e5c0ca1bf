# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the scheduler, again and again: how late do jobs start afterwards, and is none lost.

Three agents; each has a job that is due every second. run() prints how late the first slot was that
was due after a kill and beyond the look-ahead, how late those were that had been claimed before the
kill, and how late any slot was (the killed scheduler may have had the role for a moment only, and
have claimed nothing).
"""

import json
import pathlib
import signal
import statistics
import time

import fleet
import one_node
import run_checker

ELECTION_S = 1
LOOK_AHEAD_S = 2
PER_TABLE = 100_000  # lines of an imported crontab


def starts_of(path):
    """[(slot, time)] of a witness."""
    found = []
    for line in path.read_text().splitlines():
        words = line.split()
        if len(words) == 2:
            found.append((int(words[0]), float(words[1])))
    return found


def add_jobs(three, witness, extra):
    for number in three.members:
        three[1].ctl("add", f"tick-{number}", "--schedule", "* * * * * *", "--dialect", "seconds",
                     "--on", f"name=n{number}", "--concurrency", "allow", "--misfire", "all",
                     "--misfire-window", "60s", "--command",
                     f"echo $DISTCRON_SCHEDULED_EPOCH $(date +%s.%N) >> {witness}.n{number}")
    for first in range(0, extra, PER_TABLE):
        table = three.folder / f"table-{first}"
        table.write_text("".join(f"0 0 1 1 * true {number}\n"
                                 for number in range(first, min(first + PER_TABLE, extra))))
        three[1].ctl("import", "crontab", table, "--dialect", "supercronic", "-o", "name")


def claimed_before(member, job, at):
    """The newest slots of the job that the scheduler had claimed at that time."""
    items = member.items("history", job, "--limit", 20)
    return {one_node.epoch_of(item["scheduled_at"]) for item in items
            if "dispatched_at" in item and run_checker.epoch_of(item["dispatched_at"]) < at}


def one_kill(three, witness):
    """Seconds from the kill to the first start of a slot that nobody can have claimed before it, how
    late that one, the latest claimed one and the latest of all were."""
    victim = three.some_scheduler()
    watched = next(number for number in three.members if number != victim.number)
    path = pathlib.Path(f"{witness}.n{watched}")
    one_node.wait_until(lambda: starts_of(path) and starts_of(path)[-1][1] > time.time() - 1.5,
                        60, "the job ticks")
    killed_at = time.time()
    victim.agent.send_signal(signal.SIGKILL)
    victim.agent.wait()
    # What was due within the look-ahead was claimed before: it says nothing about the successor.
    claimed_until = killed_at + LOOK_AHEAD_S + 0.1

    def first_after():
        later = [at for slot, at in starts_of(path) if slot > claimed_until]
        return min(later) if later else None

    started_at = one_node.wait_until(first_after, 60, "a job starts after the kill")
    late = max(started_at - max(slot for slot, at in starts_of(path) if at == started_at), 0)
    claimed = claimed_before(three[watched], f"tick-{watched}", killed_at)
    after = [(slot, at - slot) for slot, at in starts_of(path) if slot > killed_at]
    victim.start()
    return (started_at - killed_at, late,
            max((by for slot, by in after if slot in claimed), default=0),
            max(by for _, by in after))


def check_accounts(three, witness):
    """Every slot of every job has one row, and started as often as the row says."""
    faults = []
    some = three.some_scheduler()
    some.ctl("disable", *[f"tick-{number}" for number in three.members])
    time.sleep(3)
    for number in three.members:
        starts = {}
        for slot, _ in starts_of(pathlib.Path(f"{witness}.n{number}")):
            starts[slot] = starts.get(slot, 0) + 1
        rows = {one_node.epoch_of(item["scheduled_at"]): item
                for item in some.items("history", f"tick-{number}", "--limit", 1000000)}
        faults += [f"n{number}: slot {slot} started {n} times" for slot, n in starts.items()
                   if n > 1]
        faults += [f"n{number}: slot {slot} has no row" for slot in starts if slot not in rows]
        for slot in range(min(rows), max(rows) + 1):
            item = rows.get(slot)
            if item is None:
                faults.append(f"n{number}: slot {slot} is unaccounted")
            elif item["state"] not in one_node.FINAL:
                faults.append(f"n{number}: slot {slot} is still {item['state']}")
            elif item["state"] == "ok" and slot not in starts:
                faults.append(f"n{number}: slot {slot} is ok but never started")
            elif item["state"] != "ok" and "reason" not in item:
                faults.append(f"n{number}: slot {slot} is {item['state']} without a reason")
    return faults


def run(kills, extra=0):
    """Exit status: 1 when a slot was lost, started twice or is unaccounted."""
    one_node.skip_without_programs()
    with fleet.Fleet(3, sets=[f"mesh.election={ELECTION_S}s",
                              "output.keep.runs=1000000"]) as three:
        witness = three.folder / "witness"
        for number in three.members:
            pathlib.Path(f"{witness}.n{number}").touch()
        add_jobs(three, witness, extra)
        gaps, lates, aheads, worst = [], [], [], []
        for kill in range(kills):
            gap, late, ahead, any_slot = one_kill(three, witness)
            gaps.append(gap)
            lates.append(late)
            aheads.append(ahead)
            worst.append(any_slot)
            print(f"kill {kill + 1}/{kills}: first start {gap:.2f} s after it, {late:.2f} s late; "
                  f"claimed ahead: {ahead:.2f} s late; any slot: {any_slot:.2f} s late", flush=True)
        faults = check_accounts(three, witness)
    ordered = sorted(lates)
    print(json.dumps({
        "test": "failover", "kills": kills, "faults": len(faults),
        "first_start_median_s": round(statistics.median(gaps), 3),
        "late_median_s": round(statistics.median(lates), 3),
        "late_p99_s": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 3),
        "late_max_s": round(ordered[-1], 3), "election_s": ELECTION_S, "jobs": extra + 3,
        "ahead_late_max_s": round(max(aheads), 3),
        "any_late_median_s": round(statistics.median(worst), 3),
        "any_late_max_s": round(max(worst), 3)}))
    for fault in faults[:40]:
        print(f"FAULT: {fault}")
    return 1 if faults else 0

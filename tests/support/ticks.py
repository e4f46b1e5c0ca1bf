# SPDX-License-Identifier: Apache-2.0
"""A job that is due each second and tells a witness file that it started: what a fleet's history
says of it is compared with what it did. Also: have all members the same state?"""

import collections
import pathlib
import time

import one_node

SAME_STATE = (("list", "-o", "json"), ("history", "--attempts", "--limit", 1000000, "-o", "json"))


class Ticks:
    """The job `tick` of a fleet, on any member or on one."""

    def __init__(self, folder, name="tick"):
        self.name = name
        self.witness = pathlib.Path(folder) / f"witness.{name}"
        self.witness.touch()

    def add(self, member, on=None, more=()):
        pin = ["--on", f"name=n{on}"] if on else []
        member.ctl("add", self.name, "--schedule", "* * * * * *", "--dialect", "seconds",
                   "--concurrency", "allow", "--misfire", "all", "--misfire-window", "120s",
                   *pin, *more, "--command",
                   f"echo $DISTCRON_SCHEDULED_EPOCH $(date +%s.%N) >> {self.witness}")

    def starts(self):
        """[(slot, when it started)] in the order of the starts."""
        found = []
        for line in self.witness.read_text().splitlines():
            words = line.split()
            if len(words) == 2:
                found.append((int(words[0]), float(words[1])))
        return found

    def wait_for_more(self, count, seconds=60):
        """Further starts of slots that are due from now on."""
        now = time.time()
        one_node.wait_until(
            lambda: sum(slot > now for slot, _ in self.starts()) >= count, seconds,
            f"{self.name} starts {count} times more")

    def end(self, some):
        """Disables the job; all its runs come to an end."""
        some.ctl("disable", self.name)
        one_node.wait_until(
            lambda: all(item["state"] in one_node.FINAL for item in some.history(self.name)), 90,
            f"all runs of {self.name} end")

    def rows(self, some):
        """The history by slot."""
        rows = collections.defaultdict(list)
        for item in some.history(self.name):
            rows[one_node.epoch_of(item["scheduled_at"])].append(item)
        return rows

    def faults(self, some, states=("ok",)):
        """What is wrong: a slot that started twice, has no row, or a row that is not true."""
        # The job may go on: what has ended in `rows` has started in `count`, what has started there
        # has a row in `later`.
        rows = self.rows(some)
        count = collections.Counter(slot for slot, _ in self.starts())
        later = self.rows(some)
        faults = [f"slot {slot} started {n} times" for slot, n in count.items() if n > 1]
        faults += [f"slot {slot} started and has no row" for slot in count if slot not in later]
        for slot in range(min(rows), max(rows) + 1):
            found = rows.get(slot, [])
            if len(found) != 1:
                faults.append(f"slot {slot} has {len(found)} rows")
                continue
            row = found[0]
            if row["state"] == "ok" and slot not in count:
                faults.append(f"slot {slot} is ok but never started")
            if row["state"] != "ok" and "reason" not in row:
                faults.append(f"slot {slot} is {row['state']} without a reason")
            if row["state"] not in states and row.get("reason") != "disabled":
                faults.append(f"slot {slot} is {row['state']} ({row.get('reason')}, "
                              f"{row.get('detail')})")
        return faults


def wait_for_same_state(members, seconds=30):
    """All members say the same of jobs and history, each from what it has itself."""

    def is_same():
        said = {tuple(member.ctl(*words, "--stale").stdout for words in SAME_STATE)
                for member in members}
        return len(said) == 1

    one_node.wait_until(is_same, seconds, "all members have the same state")


def stay(seconds, holds, what):
    """`holds` is true all the time for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not holds():
            raise AssertionError(f"not all the time for {seconds} s: {what}")
        time.sleep(0.1)

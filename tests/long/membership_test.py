#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Members come and go under load, the scheduler among them: no edit is lost, no slot either.

Seven agents. Three clients add jobs through all of them, one job ticks each second on any host.
Meanwhile members are removed and new ones join; who was removed is started again and must neither
run, schedule nor be listed.
"""

import collections
import pathlib
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402

CLIENTS = 3
GONE_GRACE_S = 3  # what a removed host had accepted it may still start


class Editor(threading.Thread):
    """Adds jobs, each through another member; keeps the names that were acknowledged."""

    def __init__(self, seven, number):
        super().__init__(daemon=True)
        self.seven, self.number = seven, number
        self.done = threading.Event()
        self.acknowledged, self.refused = [], 0

    def run(self):
        count = 0
        while not self.done.is_set():
            members = self.seven.alive()
            member = members[(count + self.number) % len(members)]
            name = f"edit-{self.number}-{count}"
            count += 1
            # The key lies with the member that made the cluster, which may be gone by then.
            if member.ctl("add", name, "--manual", "--command", "true",
                          check=False).returncode == 0:
                self.acknowledged.append(name)
            else:
                self.refused += 1


def remove(seven, some, number, gone):
    some.ctl("node", "remove", f"n{number}", "--force", "--yes")
    member = seven.drop(number)
    one_node.wait_until(lambda: member.agent.poll() is not None, 60, f"the agent of n{number} ends")
    print(f"removed n{number}: exit status {member.agent.poll()}, started again", flush=True)
    member.agent = member.launch()  # its owner does not know
    gone[member.name] = (member, time.time())


def starts_of(witness):
    found = []
    for line in witness.read_text().splitlines():
        slot, node, at = line.split()
        found.append((int(slot), node, float(at)))
    return found


def check(seven, witness, editors, gone):
    faults = []
    some = seven.some_scheduler()
    some.ctl("disable", "tick")
    one_node.wait_until(lambda: all(item["state"] in one_node.FINAL
                                    for item in some.history("tick")), 60, "all runs end")
    acknowledged = {name for editor in editors for name in editor.acknowledged}
    for member in seven.alive():
        names = {item["name"] for item in member.items("list")}
        faults += [f"{member.name} lost the job {name}" for name in acknowledged - names]
        listed = {node["name"] for node in member.status()["nodes"] if node["state"] != "left"}
        faults += [f"{member.name} lists {name}, which was removed" for name in listed & set(gone)]
    starts = starts_of(witness)
    count = collections.Counter(slot for slot, _, _ in starts)
    rows = {one_node.epoch_of(item["scheduled_at"]): item for item in some.history("tick")}
    faults += [f"slot {slot} started {n} times" for slot, n in count.items() if n > 1]
    faults += [f"slot {slot} started, but has no row" for slot in count if slot not in rows]
    for slot in range(min(rows), max(rows) + 1):
        item = rows.get(slot)
        if item is None:
            faults.append(f"slot {slot} is unaccounted")
        elif item["state"] == "ok" and count[slot] != 1:
            faults.append(f"slot {slot} is ok, but started {count[slot]} times")
        elif item["state"] != "ok" and "reason" not in item:
            faults.append(f"slot {slot} is {item['state']} without a reason")
    faults += [f"{node} started slot {slot} {at - gone[node][1]:.1f} s after its removal"
               for slot, node, at in starts
               if node in gone and at > gone[node][1] + GONE_GRACE_S]
    for name, (member, _) in gone.items():
        if member.scheduler() is not None:
            faults.append(f"{name} was removed and says that there is a scheduler")
        member.kill()
    states = collections.Counter(item["state"] for item in rows.values())
    return faults, len(acknowledged), dict(states)


def main():
    one_node.skip_without_programs()
    with fleet.Fleet(7) as seven:
        seven.wait_for_scheduler(1)
        witness = seven.folder / "witness"
        witness.touch()
        seven[1].ctl("add", "tick", "--schedule", "* * * * * *", "--dialect", "seconds",
                     "--concurrency", "allow", "--misfire", "all", "--misfire-window", "60s",
                     "--on", "name=n*", "--route", "round-robin", "--command",
                     f"echo $DISTCRON_SCHEDULED_EPOCH $DISTCRON_NODE $(date +%s.%N) >> {witness}")
        editors = [Editor(seven, number) for number in range(CLIENTS)]
        for editor in editors:
            editor.start()
        gone = {}
        one_node.wait_until(lambda: len(starts_of(witness)) >= 3, 60, "it ticks")
        remove(seven, seven[2], 7, gone)
        seven.add(8)
        seven.wait_for_members(7, 120)
        remove(seven, seven[3], 1, gone)  # the scheduler itself
        seven.wait_for_scheduler(2, 120)
        seven.make_token(seven[3])  # the first one names a member that is gone
        seven.add(9)
        seven.wait_for_members(7, 120)
        remove(seven, seven[4], 2, gone)  # and the next
        remove(seven, seven[4], 5, gone)
        seven.wait_for_scheduler(3, 120)
        seven.wait_for_members(5, 120)
        seen = len(starts_of(witness))
        one_node.wait_until(lambda: len(starts_of(witness)) >= seen + 5, 60, "it ticks on")
        for editor in editors:
            editor.done.set()
        for editor in editors:
            editor.join()
        faults, edits, states = check(seven, witness, editors, gone)
        return one_node.report("membership", faults, edits=edits,
                               refused=sum(editor.refused for editor in editors), runs=states,
                               removed=sorted(gone))


if __name__ == "__main__":
    sys.exit(main())

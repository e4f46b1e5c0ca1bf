#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many small jobs for a long time: nothing leaks, nothing is late for long, all is accounted for.

DISTCRON_SOAK_SECONDS (default 600) is the length; the first tenth is warm-up.
"""

import os
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import one_node  # noqa: E402

LATE_P99_MS = 1000
RSS_GROWTH_KIB = 32 * 1024
FD_GROWTH = 16


def sample(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return rss, len(os.listdir(f"/proc/{pid}/fd"))


def zombies_of(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(" Z " in pathlib.Path(f"/proc/{child}/stat").read_text() for child in children)


def main():
    one_node.skip_without_programs()
    length = int(os.environ.get("DISTCRON_SOAK_SECONDS", "600"))
    jobs = [f"soak-{n}" for n in range(20)]
    with one_node.OneNode(waits_for_executor=True) as node:
        for job in jobs:
            node.add_second_job(job, 2, 0.1)
        time.sleep(length / 10)
        rss_before, fds_before = sample(node.agent.pid)
        until = time.monotonic() + length * 0.9
        while time.monotonic() < until:
            time.sleep(5)
            run = node.ctl("run", jobs[0], "-q").stdout.strip()
            node.ctl("wait", run, "--timeout", "30s")
            node.ctl("logs", run)
        rss_after, fds_after = sample(node.agent.pid)
        zombies = zombies_of(node.agent.pid)
        node.settle(jobs, 60)
        # Manual runs of the first job share its witness; the others have only their schedule.
        faults, counts = node.check_accounts(jobs[1:], 2)
        late = sorted(item["lateness_ms"] for job in jobs[1:] for item in node.history(job)
                      if "lateness_ms" in item)
        p99 = late[len(late) * 99 // 100] if late else -1
        if not late or p99 > LATE_P99_MS:
            faults.append(f"lateness p99 is {p99} ms, at most {LATE_P99_MS}")
        if rss_after - rss_before > RSS_GROWTH_KIB:
            faults.append(f"memory grew from {rss_before} to {rss_after} KiB")
        if fds_after - fds_before > FD_GROWTH:
            faults.append(f"descriptors grew from {fds_before} to {fds_after}")
        if zombies:
            faults.append(f"{zombies} zombies")
        result = one_node.report("soak", faults, seconds=length, runs=len(late), late_p99_ms=p99,
                                 rss_kib=[rss_before, rss_after], fds=[fds_before, fds_after],
                                 states=counts)
        if result:
            raise SystemExit(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())

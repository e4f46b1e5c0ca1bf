#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the agent, again and again, under jobs of every second.

No slot may start twice, each started job must end by itself, and each slot must have exactly one
row in a final state that agrees with what the job itself has written.
DISTCRON_CYCLES (default 40) and DISTCRON_SEED choose how often and when.
"""

import os
import random
import sys
import time

sys.dont_write_bytecode = True
import one_node  # noqa: E402


def main():
    one_node.skip_without_programs()
    cycles = int(os.environ.get("DISTCRON_CYCLES", "40"))
    seed = int(os.environ.get("DISTCRON_SEED", str(time.time_ns() % 2**32)))
    print(f"seed={seed} cycles={cycles}", flush=True)
    moments = random.Random(seed)
    jobs = [f"second-{n}" for n in range(5)]
    with one_node.OneNode() as node:
        for job in jobs:
            node.add_second_job(job, 1, round(moments.uniform(0.1, 2.5), 1))
        for _ in range(cycles):
            time.sleep(moments.uniform(0.2, 3))
            node.kill()
            if moments.random() < 0.3:
                time.sleep(moments.uniform(0, 4))
            node.start()
        time.sleep(5)
        node.settle(jobs, 60)
        faults, counts = node.check_accounts(jobs, 1)
        result = one_node.report("kill_cycles", faults, cycles=cycles, seed=seed, states=counts)
        if result:
            raise SystemExit(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the agent, of the executor and of both, under runs that write numbered lines.

No slot may start twice, none be unaccounted for, each started job must end by itself with its own
exit status, and no byte of output may be lost. The short form runs with the other tests, the long
one is tests/long/kill_cycles_test.py.
"""

import json
import os
import random
import signal
import time

import one_node
import run_checker

RUN_S = 12         # with two jobs of every second: 24 runs are alive
RATE = 52 * 1024   # of each: 1.2 MiB/s together
CUT_BYTES = 65536  # what the third job may keep
# Name, exit status, misfire rule, what its output may have.
JOBS = (("all-slots", 3, "all", []), ("newest-slot", 0, "once", []),
        ("cut-output", 7, "skip", ["--output-max-bytes", CUT_BYTES]))


def add_jobs(node, program):
    jobs, begin = [], time.time()
    for name, code, misfire, more in JOBS:
        every = 1 if not more else 4
        node.ctl("add", name, "--schedule", f"@every {every}s", "--concurrency", "allow",
                 "--misfire", misfire, *more, "--",
                 program, node.witness, RUN_S, RATE, code)
        jobs.append(run_checker.Job(name, f"@every {every}s", time.time(), 0,
                                    concurrency="allow", checks_output=True))
    node.edits += [begin, time.time()]
    return jobs


def kill_once(node, kind, moments):
    """One cycle; returns its fault window."""
    begin = time.time()
    if kind == "executor":
        old = node.executors()[1]
        node.kill_executor()
        one_node.wait_until(lambda: node.executors()[1] not in ([], old), 20,
                            "the guard has started a new executor")
    elif kind == "agent":
        node.kill()
    elif moments.random() < 0.5:
        node.kill()
        node.kill_executor()
    else:
        node.kill_executor()
        node.kill()
    if kind != "executor":
        node.start()
    return run_checker.Fault(begin, time.time(), f"kill {kind}")


def enough_alive(node, least):
    """True when so many runs are alive, as their own processes say."""
    return len(one_node.processes(["witness_job", node.witness])) >= least


def run(agent_cycles, executor_cycles, both_cycles):
    """The whole test; returns the exit status."""
    one_node.skip_without_programs()
    seed = int(os.environ.get("DISTCRON_SEED", str(time.time_ns() % 2**32)))
    print(f"seed={seed}", flush=True)
    moments = random.Random(seed)
    kinds = (["agent"] * agent_cycles + ["executor"] * executor_cycles + ["both"] * both_cycles)
    moments.shuffle(kinds)
    with one_node.OneNode(["output.keep.runs=100000"], waits_for_executor=True) as node:
        program = node.folder / "witness_job"
        one_node.compile_c("witness_job.c", program)
        jobs, faults, begin = add_jobs(node, program), [], time.time()
        for number, kind in enumerate(kinds):
            one_node.wait_until(lambda: enough_alive(node, 20), 60, "20 runs are alive")
            time.sleep(moments.uniform(0, 1.5))
            faults.append(kill_once(node, kind, moments))
            print(f"cycle {number + 1}/{len(kinds)}: {kind} "
                  f"{faults[-1].end - faults[-1].begin:.1f} s", flush=True)
        length = time.time() - begin
        for job in jobs:
            node.disable(job.name)
            job.active_until, job.edit_s = node.edits[-2], node.edits[-1] - node.edits[-2]
        one_node.wait_until(lambda: not node.items("history", "--active"), RUN_S + 90,
                            "all runs have ended")
        evidence = node.evidence(jobs, faults)
        report = run_checker.Checker(jobs, evidence, time.time()).run()
        return tell(node, kinds, length, report)


def tell(node, kinds, length, report):
    total = sum(row.get("output_bytes", 0) for row in node.items("history", "--limit", 1000000))
    late = sorted(report.lateness)
    figures = {"cycles": len(kinds), "seconds": round(length), "classes": dict(report.counts),
               "reasons": dict(report.reasons),
               "output_mib_per_s": round(total / length / 2**20, 2),
               "late_p50_s": round(late[len(late) // 2], 3), "late_max_s": round(late[-1], 3),
               "late_without_fault": report.starts_late_unexplained}
    status = one_node.report("kill_cycles", report.faults, **figures)
    if status:
        (node.folder / "rows.json").write_text(json.dumps(node.items(
            "history", "--attempts", "--limit", 1000000)))
        node.agent.send_signal(signal.SIGTERM)
        raise SystemExit(status)
    return status

# SPDX-License-Identifier: Apache-2.0
"""The measurements of tests/bench/run, each against a limit taken in the same minute."""

import collections
import concurrent.futures
import os
import sqlite3
import statistics
import subprocess
import time

import fleet
import machine
import one_node

HERD_PERIOD_S = 20
DISABLE_AFTER_S = 15  # of a herd that takes longer than its period
HERD_END_S = 60
AHEAD_S = 3  # slots are claimed two seconds ahead
QUIET_CPU_S = 0.002
COMMAND = "/usr/local/bin/nightly-report --account {:07d} --keep 30 --quiet"
IDLE_SETTLE_S = 5  # after a change, until all is written
EARLY_NS = 100_000_000  # a start up to this much early is told from a late one


def import_jobs(node, lines):
    """One crontab, one command; the jobs are named after what they do."""
    table = node.folder / "table"
    table.write_text("".join(line + "\n" for line in lines))
    node.ctl("import", "crontab", table, "--dialect", "supercronic", "-o", "name")


class Herd:
    """`count` jobs for the shell that are all due at the same second."""

    def __init__(self, node, limit, count):
        self.node, self.limit, self.count = node, limit, count
        self.stamps = node.folder / "herd.stamps"
        # Not from a crontab: those keep cron's habits, such as a PAM session around each run.
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            list(clients.map(self.add, range(count)))
        self.faults = []

    def add(self, number):
        """On a machine under load a client may not get through; a second `add` is harmless."""
        for last in (False, False, True):
            if self.try_to_add(number, last).returncode == 0:
                return

    def try_to_add(self, number, check):
        return self.node.ctl("add", f"herd-{number:05d}", "--disabled", "--dialect", "seconds",
                             "--schedule", f"*/{HERD_PERIOD_S} * * * * *", "--if-not-exists",
                             "--misfire-window", "1h", "--command",
                             f"{self.limit.programs.stamp} {self.stamps} {number}", check=check)

    def agent_cpu(self):
        return machine.cpu_seconds(self.node.agent.pid)

    def launcher_cpu(self):
        """Agent, executor and its guard; neither stubs nor jobs."""
        guards, executors = self.node.executors()
        return self.agent_cpu() + sum(map(machine.cpu_seconds, [*guards, *executors]))

    def wait_quiet(self, until):
        """Until all have started and neither agent nor executor has anything to do."""
        before = self.launcher_cpu()
        while time.time() < until:
            time.sleep(0.3)
            now = self.launcher_cpu()
            if now - before < QUIET_CPU_S and \
                    len(machine.read_stamps(self.stamps)) >= self.count:
                return
            before = now

    def fire(self):
        """One leg of ours."""
        self.stamps.unlink(missing_ok=True)
        due = (int(time.time()) + AHEAD_S + 2) // HERD_PERIOD_S * HERD_PERIOD_S + HERD_PERIOD_S
        while time.time() < due - AHEAD_S - 1:
            time.sleep(0.05)
        self.node.ctl("enable", "--all")
        time.sleep(max(0.0, due - 2.3 - time.time()))
        before, agent_before = self.launcher_cpu(), self.agent_cpu()
        time.sleep(max(0.0, due - time.time()))
        self.wait_quiet(due + DISABLE_AFTER_S)
        spent, agent_spent = self.launcher_cpu() - before, self.agent_cpu() - agent_before
        self.node.ctl("disable", "--all")
        self.wait_quiet(due + HERD_END_S)
        return self.account(due, spent, agent_spent)

    def account(self, due, cpu_s, agent_cpu_s):
        stamps = machine.read_stamps(self.stamps)
        starts = collections.Counter(number for _, _, number in stamps)
        missed = self.count - len(starts)
        doubled = sum(n - 1 for n in starts.values())
        early = sum(ns < due * 10**9 for ns, _, _ in stamps)
        if missed or doubled or early:
            self.faults.append(f"herd at {due}: {missed} missed, {doubled} double, {early} early")
        late = [(ns - due * 10**9) / 1e6 for ns, _, _ in stamps] or [HERD_END_S * 1e3]
        return {"first_ms": round(min(late), 3), "p50_ms": round(machine.quantile(late, 50), 3),
                "p99_ms": round(machine.quantile(late, 99), 3), "last_ms": round(max(late), 3),
                "starts_per_s": round(len(stamps) / max(late) * 1e3, 1),
                "cpu_us_per_job": round(cpu_s * 1e6 / self.count, 2),
                "agent_cpu_us_per_job": round(agent_cpu_s * 1e6 / self.count, 2),
                "missed": missed, "doubled": doubled, "early": early}

    def pair(self):
        watch = machine.Watch()
        limit = self.limit.fire(self.count, True, True)
        ours = self.fire()
        bare = self.limit.fire(self.count, True, False)
        return {"limit": limit, "ours": ours, "bare": bare, **watch.read()}


def herd(plan, limit):
    """G2, G3, G7. Returns (gates, pairs, faults)."""
    with one_node.OneNode(["exec.max_running=100000"]) as node:
        windows = limit.choose_window(max(100, plan.herd // 4), True)
        jobs = Herd(node, limit, plan.herd)
        pairs, discarded = machine.collect(plan, jobs.pair,
                                           lambda pair: pair["limit"]["last_ms"])

    def ratios(key, invert=False):
        found = [pair["ours"][key] / pair["limit"][key] for pair in pairs]
        return [1 / ratio for ratio in found] if invert else found

    def middle(leg, key):
        return round(statistics.median(pair[leg][key] for pair in pairs), 2)

    def gate(name, what, goal, key):
        return machine.judge(name, what, goal, ratios(key), unit=key, ours=middle("ours", key),
                             limit=middle("limit", key), bare_limit=middle("bare", key),
                             discarded=discarded)

    n = plan.herd
    gates = [gate("G2", f"sh -c jobs started per second, {n} due", (">=", 0.90), "starts_per_s"),
             gate("G3", "launcher's processor time per job", ("<=", 2.5), "cpu_us_per_job"),
             gate("G7", f"last start of {n} sh jobs due at once", ("<=", 1.20), "last_ms")]
    return gates, {"windows": windows, "pairs": pairs}, jobs.faults


def late_of(ns, period_ns, phase_ns=0):
    """Milliseconds after the nearest instant of a schedule; negative if early."""
    return ((ns - phase_ns + EARLY_NS) % period_ns - EARLY_NS) / 1e6


def lateness(plan, limit):
    """G5: even seconds are ours, odd ones the limit's, half a second later the bare limit's."""
    watch = machine.Watch()
    faults = []
    with one_node.OneNode() as node:
        ours_file, limit_file = node.folder / "ours.stamps", node.folder / "late.stamps"
        with limit.start_late(plan.late, limit_file) as sibling:
            node.ctl("add", "lone", "--schedule", "*/2 * * * * *", "--dialect", "seconds", "--",
                     limit.programs.stamp, ours_file, 0)
            if sibling.wait() != 0:
                raise RuntimeError("firelimit late has failed")
        node.ctl("disable", "lone")
        time.sleep(1)
        stamps = machine.read_stamps(ours_file)
        siblings = machine.read_stamps(limit_file)
    ours = [late_of(ns, 2 * 10**9) for ns, _, _ in stamps]
    with_stub = [late_of(ns, 10**9) for ns, _, number in siblings if number == 0]
    bare = [late_of(ns, 10**9, 5 * 10**8) for ns, _, number in siblings if number == 1]
    slots = collections.Counter((ns + EARLY_NS) // (2 * 10**9) for ns, _, _ in stamps)
    holes = max(slots) - min(slots) + 1 - len(slots) if slots else plan.late
    doubled = sum(n - 1 for n in slots.values())
    early = sum(late < 0 for late in ours)
    if holes or doubled or early:
        faults.append(f"lone job: {holes} missed, {doubled} double, {early} early")
    points = {name: {f"p{p}_ms": round(machine.quantile(values, p), 3) for p in (50, 90, 99)}
              for name, values in (("ours", ours), ("limit", with_stub), ("bare", bare)) if values}
    if "ours" not in points:
        raise RuntimeError("the lone job was never started")
    ratio = points["ours"]["p50_ms"] / points["limit"]["p50_ms"]
    gate = machine.judge(
        "G5", f"lateness of a lone job, p50 of {len(ours)}", ("<=", 1.5), [ratio], unit="ms",
        ours=points["ours"]["p50_ms"], limit=points["limit"]["p50_ms"],
        bare_limit=points["bare"]["p50_ms"], discarded=0)
    tail = points["ours"]["p99_ms"] - points["limit"]["p99_ms"]
    tail_gate = machine.judge(
        "G5 p99", "its p99 beyond the limit's, in ms", ("<=", 5), [tail], unit="ms",
        ours=points["ours"]["p99_ms"], limit=points["limit"]["p99_ms"],
        bare_limit=points["bare"]["p99_ms"], discarded=0)
    return [gate, tail_gate], {**points, **watch.read()}, faults


def scan_seconds(path):
    """SQLite reads every column of every job; none leaves it."""
    begin, cpu_begin = time.monotonic(), time.process_time()
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    columns = [row[1] for row in base.execute("PRAGMA table_info(jobs)")]
    total = " + ".join(f"length({column})" for column in columns)
    rows, _ = base.execute(f"SELECT count(*), sum({total}) FROM jobs").fetchone()
    base.close()
    return {"limit_s": time.monotonic() - begin, "limit_cpu_s": time.process_time() - cpu_begin,
            "rows": rows}


def ready_seconds(node):
    """From the start of a stopped agent, executor included, to its line `ready`."""
    for pid in node.left_over(0):
        os.kill(pid, 9)
    while node.left_over(0):
        time.sleep(0.01)
    reader, writer = os.pipe()
    real_log, node.log = node.log, writer
    begin = time.monotonic()
    try:
        node.agent = node.launch()
    finally:
        os.close(writer)
        node.log = real_log
    with os.fdopen(reader) as log:
        lines = []
        for line in log:
            lines.append(line)
            if " ready " in line:
                taken = time.monotonic() - begin
                node.drain = subprocess.Popen(["cat"], stdin=log, stdout=node.log)
                return taken
    raise RuntimeError("the agent did not become ready: " + "".join(lines))


def fill(node, count):
    """Jobs of which name and command have about 90 bytes, due once a year."""
    for begin in range(0, count, 5000):
        import_jobs(node, ["0 3 1 1 * " + COMMAND.format(n)
                           for n in range(begin, min(begin + 5000, count))])


def size_and_start(plan):
    """G15 and G17, on one node."""
    watch = machine.Watch()
    with one_node.OneNode() as node:
        empty = machine.pss_bytes(node.agent.pid)
        node.stop()
        empty_start = statistics.median(start_and_stop(node) for _ in range(plan.pairs))
        node.start()
        begin = time.monotonic()
        fill(node, plan.jobs)
        fill_s = time.monotonic() - begin
        grown = machine.pss_bytes(node.agent.pid)
        node.stop()
        pairs = []
        for _ in range(plan.pairs):
            pair = scan_seconds(node.storage / "state.db")
            pair["ours_s"] = ready_seconds(node)
            pair["ours_cpu_s"] = machine.cpu_seconds(node.agent.pid)
            node.stop()
            pairs.append(pair)
        ready_seconds(node)
        loaded = machine.pss_bytes(node.agent.pid)
        named = len(node.items("list")[0]["name"]) + len(COMMAND.format(0))
    if pairs[0]["rows"] != plan.jobs:
        raise RuntimeError(f"{pairs[0]['rows']} jobs are in state.db, not {plan.jobs}")

    def middle(key):
        return statistics.median(pair[key] for pair in pairs)

    size = (loaded - empty) / plan.jobs
    gates = [machine.judge("G15", f"bytes per job, {plan.jobs} jobs, after a start", ("<=", 320),
                           [size], unit="B", ours=round(size), limit=156, bare_limit=None,
                           discarded=0)]
    for name, what, end in (("G17", "start", "_s"), ("G17 cpu", "its processor time", "_cpu_s")):
        ratios = [pair["ours" + end] / pair["limit" + end] for pair in pairs]
        gates.append(machine.judge(
            name, f"{what} with {plan.jobs} jobs against a scan by SQLite", ("<=", 4), ratios,
            unit="ms", ours=round(middle("ours" + end) * 1e3, 1),
            limit=round(middle("limit" + end) * 1e3, 1), bare_limit=None, discarded=0))
    detail = {"pss_empty": empty, "pss_after_import": grown, "pss_after_start": loaded,
              "name_and_command_bytes": named, "import_s": round(fill_s, 2),
              "start_empty_ms": round(empty_start * 1e3, 1), "pairs": pairs, **watch.read()}
    return gates, detail, []


def idle_shares(three, seconds):
    """Shares of a core that the scheduler and the median of all agents use."""
    pids = [member.agent.pid for member in three.alive()]
    before, begin = [machine.cpu_seconds(pid) for pid in pids], time.monotonic()
    time.sleep(seconds)
    span = time.monotonic() - begin
    shares = [(machine.cpu_seconds(pid) - then) / span for pid, then in zip(pids, before)]
    return shares[0], statistics.median(shares)


def idle(plan):
    """G16: three agents in touch, jobs of which none is due."""
    watch = machine.Watch()
    with fleet.Fleet(3) as three:
        three.wait_for_scheduler(1)
        time.sleep(IDLE_SETTLE_S)
        empty, empty_median = idle_shares(three, plan.idle)
        fill(three[1], plan.jobs)
        time.sleep(IDLE_SETTLE_S)
        loaded, loaded_median = idle_shares(three, plan.idle)
    gates = [machine.judge("G16", f"idle scheduler of three, {plan.jobs} jobs", ("<=", 0.3),
                           [loaded * 100], unit="% of a core", ours=round(loaded * 100, 3),
                           limit=0.3, bare_limit=None, discarded=0),
             machine.judge("G16 jobs", "the same against no job", ("<=", 1.2), [loaded / empty],
                           unit="% of a core", ours=round(loaded * 100, 3),
                           limit=round(empty * 100, 3), bare_limit=None, discarded=0)]
    detail = {"median_empty": empty_median, "median_loaded": loaded_median, **watch.read()}
    return gates, detail, []


def start_and_stop(node):
    taken = ready_seconds(node)
    node.stop()
    return taken

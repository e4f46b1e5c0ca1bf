# SPDX-License-Identifier: Apache-2.0
"""The machine under the benchmarks: its load, its limits (firelimit), and pairs of legs."""

import json
import os
import pathlib
import shutil
import statistics
import struct
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = ("firelimit", "bench_stamp", "bench_stub")
RECORD = struct.Struct("=QII")
STEAL_MAX = 0.03
LIMIT_SPREAD_MAX = 0.25


class Programs:
    """Paths of firelimit, bench_stamp and bench_stub; compiled where the build has none."""

    def __init__(self, built, scratch):
        if not all((built / name).exists() for name in PROGRAMS):
            built = compile_programs(scratch)
        self.firelimit, self.stamp, self.stub = (str(built / name) for name in PROGRAMS)


def compile_programs(target):
    cxx, cc = shutil.which("c++"), shutil.which("cc")
    if not cxx or not cc:
        raise RuntimeError("cannot compile tests/bench: no c++ and cc; or give --programs DIR")
    subprocess.run([cxx, "-std=c++20", "-O2", "-o", target / "firelimit", HERE / "firelimit.cc",
                    "-pthread"], check=True)
    alone = []
    if os.uname().machine == "x86_64":
        alone = ["-DDISTCRON_NO_LIBC", "-fno-stack-protector", "-static", "-nostdlib"]
    for name in ("stamp", "stub"):
        subprocess.run([cc, "-O2", *alone, "-o", target / f"bench_{name}", HERE / f"{name}.c"],
                       check=True)
    return target


class Limit:
    """Runs of firelimit with its better window."""

    def __init__(self, programs, scratch):
        self.programs = programs
        self.scratch = scratch
        self.threads = min(2, os.cpu_count() or 1)
        self.window = 4

    def fire(self, count, shell, stub, window=None):
        """One leg; what firelimit prints."""
        file = self.scratch / "limit.stamps"
        file.unlink(missing_ok=True)
        words = [self.programs.firelimit, "fire", count, self.threads, window or self.window, file,
                 self.programs.stamp]
        words += ["--shell"] if shell else []
        words += ["--stub", self.programs.stub] if stub else []
        done = subprocess.run(list(map(str, words)), capture_output=True, check=True, text=True)
        return json.loads(done.stdout)

    def choose_window(self, count, shell):
        legs = {window: self.fire(count, shell, True, window)["starts_per_s"]
                for window in (4, 64)}
        self.window = max(legs, key=legs.get)
        return legs

    def start_late(self, count, file):
        words = [self.programs.firelimit, "late", count, file, self.programs.stamp, "--stub",
                 self.programs.stub]
        return subprocess.Popen(list(map(str, words)))


def read_stamps(path):
    """[(ns, pid, id)] in the order of writing."""
    data = path.read_bytes() if path.exists() else b""
    return list(RECORD.iter_unpack(data[:len(data) // RECORD.size * RECORD.size]))


def cpu_seconds(pid):
    """Processor time of all threads of a process, to the nanosecond: its own clock."""
    return time.clock_gettime((~pid << 3) | 2)


def pss_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no Pss in /proc/{pid}/smaps_rollup")


def cpu_ticks():
    """(all, stolen) ticks of all processors since boot."""
    fields = list(map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return sum(fields), fields[7]


class Watch:
    """Load and steal over a stretch of time."""

    def __init__(self):
        self.before = cpu_ticks()

    def read(self):
        total, stolen = (now - then for now, then in zip(cpu_ticks(), self.before))
        return {"load_1min": round(os.getloadavg()[0], 2),
                "steal": round(stolen / total, 4) if total else 0.0}


def quantile(values, percent):
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) * percent // 100]


def keep_fair(pairs, limit_of):
    """Pairs without stolen time whose limit leg is near the limit's median, or all of them."""
    if len(pairs) < 3:
        return pairs
    middle = statistics.median(map(limit_of, pairs))
    fair = [pair for pair in pairs if pair["steal"] <= STEAL_MAX and
            abs(limit_of(pair) - middle) <= LIMIT_SPREAD_MAX * middle]
    return fair or pairs


def collect(plan, make_pair, limit_of):
    """Pairs A B A B until plan.pairs are fair, or plan.extra more were made, or it is plan.until.

    Returns (pairs to judge by, how many were discarded)."""
    made = []
    while True:
        made.append(make_pair())
        fair = keep_fair(made, limit_of)
        if (len(made) >= plan.pairs and len(fair) >= plan.pairs) or \
                len(made) >= plan.pairs + plan.extra or time.monotonic() > plan.until:
            return fair, len(made) - len(fair)


def judge(gate, what, goal, ratios, **more):
    """A gate's result. goal: ("<=" or ">=", number)."""
    middle = statistics.median(ratios)
    met = middle <= goal[1] if goal[0] == "<=" else middle >= goal[1]
    return {"gate": gate, "what": what, "goal": f"{goal[0]} {goal[1]:g}", "met": met,
            "median": round(middle, 3), "min": round(min(ratios), 3),
            "max": round(max(ratios), 3), "pairs": len(ratios), **more}

# SPDX-License-Identifier: Apache-2.0
"""One agent with its own folder and a witness that its jobs write: shared by the long tests."""

import collections
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DISTCRON_BIN", ROOT / "build/bin"))
ANSWER_S = 20
FINAL = {"ok", "failed", "timeout", "killed", "cancelled", "skipped", "missed", "lost", "unknown"}
# A START without an END line in the witness was cut off: jobs must outlive their agent.
SCRIPT = ('echo "START $DISTCRON_JOB $DISTCRON_SCHEDULED_EPOCH $DISTCRON_ATTEMPT" >> {file}; '
          'sleep {seconds}; '
          'echo "END $DISTCRON_JOB $DISTCRON_SCHEDULED_EPOCH $DISTCRON_ATTEMPT" >> {file}')


def skip_without_programs():
    if not (BIN / "distcrond").exists() or not (BIN / "distcronctl").exists():
        print(f"SKIP: no programs in {BIN}")
        sys.exit(77)


class OneNode:
    """An agent that can be killed and started again on the same storage."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distcron-long."))
        self.folder.chmod(0o755)
        self.storage = self.folder / "s"
        self.witness = self.folder / "witness"
        self.log = (self.folder / "agent.log").open("ab")
        self.agent = None
        self.environment = {
            **os.environ, "DISTCRON_ENDPOINT": f"ipc://{self.storage}/run/control.sock",
            "DISTCRON_KEY": str(self.storage / "keys/admin.key"), "NO_COLOR": "1"}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        if self.agent and self.agent.poll() is None:
            self.agent.send_signal(signal.SIGTERM)
            self.agent.wait(timeout=60)
        left = self.left_over(10)
        for pid in left:
            print(f"FAULT: guard or executor {pid} is still there after the agent's end")
            os.kill(pid, signal.SIGKILL)
        self.log.close()
        if kind is None:
            shutil.rmtree(self.folder)
            if left:
                raise RuntimeError(f"{len(left)} processes outlived the agent without a run")
        else:
            print(f"left for inspection: {self.folder}")

    def left_over(self, seconds):
        """Pids whose arguments name our folder, once none is left or the time is over."""
        until = time.monotonic() + seconds
        while True:
            found = []
            for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    if str(self.storage).encode() in entry.read_bytes():
                        found.append(int(entry.parent.name))
                except OSError:
                    continue  # it has ended meanwhile
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.1)

    def start(self):
        self.agent = subprocess.Popen(
            [BIN / "distcrond", "--set", f"storage.dir={self.storage}"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        until = time.monotonic() + ANSWER_S
        while self.ctl("cluster", "status", "-q", check=False).returncode != 0:
            if self.agent.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the agent does not answer (status {self.agent.poll()})")
            time.sleep(0.05)

    def kill(self):
        self.agent.kill()
        self.agent.wait()

    def ctl(self, *arguments, check=True):
        return subprocess.run([BIN / "distcronctl", *map(str, arguments)], env=self.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=check,
                              stderr=None if check else subprocess.DEVNULL, text=True, timeout=60)

    def add_second_job(self, name, every_s, run_s):
        """A job that is due each `every_s` seconds, runs `run_s` and writes START and END."""
        self.ctl("add", name, "--schedule", f"*/{every_s} * * * * *", "--dialect", "seconds",
                 "--concurrency", "allow", "--command",
                 SCRIPT.format(file=self.witness, seconds=run_s))

    def history(self, job):
        return json.loads(self.ctl("history", job, "--limit", 1000000, "-o", "json").stdout)["items"]

    def settle(self, jobs, seconds):
        """Disables the jobs and waits until none of their runs is alive."""
        for job in jobs:
            self.ctl("disable", job)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if all(item["state"] in FINAL for job in jobs for item in self.history(job)):
                return
            time.sleep(0.5)

    def check_accounts(self, jobs, every_s):
        """Compares history with witness. Returns (faults, counts)."""
        starts, ends = collections.Counter(), collections.Counter()
        for line in self.witness.read_text().splitlines():
            kind, job, epoch, _ = line.split()
            (starts if kind == "START" else ends)[job, int(epoch)] += 1
        faults, counts = [], collections.Counter()
        faults += [f"started {n} times: {slot}" for slot, n in starts.items() if n > 1]
        faults += [f"started, never ended: {slot}" for slot in starts if not ends[slot]]
        for job in jobs:
            rows = collections.defaultdict(list)
            for item in self.history(job):
                rows[epoch_of(item["scheduled_at"])].append(item)
                counts[item["state"] + (f"({item['reason']})" if "reason" in item else "")] += 1
            faults += check_rows(job, rows, starts, every_s)
        return faults, dict(counts)


def check_rows(job, rows, starts, every_s):
    faults = []
    for epoch in range(min(rows), max(rows) + 1, every_s) if rows else []:
        found = rows.get(epoch, [])
        if len(found) != 1:
            faults.append(f"{job} at {epoch}: {len(found)} rows")
            continue
        state, ran = found[0]["state"], starts[job, epoch] > 0
        if state not in FINAL:
            faults.append(f"{job} at {epoch}: still {state}")
        elif (state == "ok") != ran:
            faults.append(f"{job} at {epoch}: {state}, but {'' if ran else 'not '}started")
        elif not ran and "reason" not in found[0]:
            faults.append(f"{job} at {epoch}: {state} without a reason")
    faults += [f"{slot}: started, but not in the history" for slot in starts
               if slot[0] == job and slot[1] not in rows]
    return faults


def epoch_of(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def report(name, faults, **figures):
    print(json.dumps({"test": name, "faults": len(faults), **figures}))
    for fault in faults[:50]:
        print(f"FAULT: {fault}")
    return 1 if faults else 0

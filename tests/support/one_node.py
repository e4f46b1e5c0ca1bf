# SPDX-License-Identifier: Apache-2.0
"""One agent with its own folder and a witness that its jobs write: shared by tests/e2e and long."""

import collections
import contextlib
import getpass
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import run_checker

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("DISTCRON_BIN", ROOT / "build/bin"))
ANSWER_S = 60  # of a machine that does much else
FINAL = {"ok", "failed", "timeout", "killed", "cancelled", "skipped", "missed", "lost", "unknown"}
# A START without an END line in the witness was cut off: jobs must outlive their agent.
SCRIPT = ('echo "START $DISTCRON_JOB $DISTCRON_SCHEDULED_EPOCH $DISTCRON_ATTEMPT" >> {file}; '
          'sleep {seconds}; '
          'echo "END $DISTCRON_JOB $DISTCRON_SCHEDULED_EPOCH $DISTCRON_ATTEMPT" >> {file}')


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def skip_without_programs():
    if not (BIN / "distcrond").exists() or not (BIN / "distcronctl").exists():
        skip(f"no programs in {BIN}")


def compile_c(source, target, *flags):
    """A C file of tests/support as a program, or a skipped test where there is no compiler."""
    compiler = shutil.which("cc") or skip("no C compiler")
    subprocess.run([compiler, "-O1", "-Wall", "-Wextra", *flags, "-o", target,
                    ROOT / "tests/support" / source], check=True)


def wait_until(condition, seconds, what):
    """Calls `condition` until it says something true, which is returned."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def processes(words):
    """Pids whose arguments hold all of `words`."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = entry.read_bytes()
            # A zombie has no arguments.
            if arguments and all(str(word).encode() in arguments for word in words):
                found.append(int(entry.parent.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def parent_of(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def descendants(pids):
    """Pids of all that the processes `pids` started, and that still have a line to them."""
    parents = {int(entry.name): parent_of(entry.name) for entry in
               pathlib.Path("/proc").glob("[0-9]*")}
    found, new = set(), set(pids)
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found - set(pids)


class OneNode:
    """An agent that can be killed and started again on the same storage."""

    def __init__(self, sets=(), environment=None, storage=None,
                 waits_for_executor=False, prefix=(), programs=BIN):
        """sets: further KEY=VALUE. environment: of the agent alone. storage: where it lies.
        prefix: words before the agent's command; they must end in an exec of it.
        programs: the folder with the agent and its executor.

        waits_for_executor: at the end guard and executor must go by themselves, which takes as
        long as they may idle; else they are killed."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distcron-node."))
        self.folder.chmod(0o755)
        self.storage = pathlib.Path(storage) if storage else self.folder / "s"
        self.witness = self.folder / "witness"
        self.witness.touch()
        self.log_path = self.folder / "agent.log"
        self.log = self.log_path.open("ab")
        self.agent = None
        self.sets = list(sets)
        self.prefix = list(prefix)
        self.bin = programs
        self.agent_environment = {**os.environ, **(environment or {})}
        self.edits = []
        self.waits_for_executor = waits_for_executor
        self.environment = {
            **os.environ, "DISTCRON_ENDPOINT": f"ipc://{self.storage}/run/control.sock",
            "DISTCRON_KEY": str(self.storage / "keys/admin.key"), "NO_COLOR": "1"}

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        if self.agent and self.agent.poll() is None:
            if kind is not None or not self.waits_for_executor:
                self.end_runs(must_end=kind is None)
            self.stop()
        left = self.left_over(60 if self.waits_for_executor and kind is None else 0)
        for pid in left:
            if self.waits_for_executor and kind is None:
                print(f"FAULT: guard or executor {pid} is still there after the agent's end")
            os.kill(pid, signal.SIGKILL)
        self.log.close()
        if kind is None:
            shutil.rmtree(self.folder)
            if left and self.waits_for_executor:
                raise RuntimeError(f"{len(left)} processes outlived the agent without a run")
        else:
            print(f"left for inspection: {self.folder}")

    def end_runs(self, must_end):
        """No job may outlive the test, also when that has failed already."""
        try:
            for item in self.items("history", "--active", "--limit", 1000000):
                self.ctl("kill", item["run_id"], "--signal", "KILL", check=False)
            wait_until(lambda: not self.items("history", "--active"), 60, "all runs have ended")
        except (AssertionError, RuntimeError, ValueError, subprocess.TimeoutExpired):
            if must_end:
                raise

    def left_over(self, seconds):
        """Pids whose arguments name our folder, once none is left or the time is over."""
        until = time.monotonic() + seconds
        while True:
            found = processes([f"{self.storage}/"])
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.1)

    def launch(self, *arguments):
        """An agent on our storage, without a wait for its answer."""
        words = [*self.prefix, self.bin / "distcrond", "--set", f"storage.dir={self.storage}",
                 "--set", f"exec.default_user={getpass.getuser()}"]
        for pair in self.sets:
            words += ["--set", pair]
        return subprocess.Popen([*words, *arguments], stdin=subprocess.DEVNULL, stdout=self.log,
                                stderr=self.log, env=self.agent_environment)

    def start(self):
        self.agent = self.launch()
        until = time.monotonic() + ANSWER_S
        while self.ctl("cluster", "status", "-q", check=False).returncode != 0:
            if self.agent.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the agent does not answer (status {self.agent.poll()})")
            time.sleep(0.05)

    def kill(self):
        self.agent.kill()
        self.agent.wait()

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.agent.terminate()
        return self.agent.wait(timeout=60)

    def executors(self):
        """Pids of (guards, executors) of this storage."""
        found = processes(["distcron-exec", "--run-dir", f"{self.storage}/"])
        return ([pid for pid in found if parent_of(pid) not in found],
                [pid for pid in found if parent_of(pid) in found])

    def kill_executor_for_good(self):
        """kill -9 of guard and executor; the next start of the agent starts new ones."""
        for pids in self.executors():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                    os.kill(pid, signal.SIGKILL)

    def kill_executor(self):
        """kill -9 of the executor, not of its guard."""
        for pid in self.executors()[1]:
            os.kill(pid, signal.SIGKILL)

    def ctl(self, *arguments, check=True, text=True, env=None):
        done = subprocess.run([BIN / "distcronctl", *map(str, arguments)],
                              env={**self.environment, **(env or {})},
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              text=text, timeout=120)
        if check and done.returncode != 0:
            words = " ".join(map(str, arguments))
            raise RuntimeError(f"distcronctl {words}: status {done.returncode}: {done.stderr}")
        return done

    def items(self, *arguments):
        return json.loads(self.ctl(*arguments, "-o", "json").stdout)["items"]

    def run_of(self, run):
        """The latest attempt of one run."""
        return next(item for item in self.items("history", "--limit", 1000000)
                    if item["run_id"] == int(run))

    def run_job(self, job, *arguments):
        return int(self.ctl("run", job, "-q", *arguments).stdout)

    def wait(self, run, seconds=60):
        """Its latest attempt, once the run has ended (however)."""
        self.ctl("wait", run, "--timeout", f"{seconds}s", check=False)
        item = self.run_of(run)
        if item["state"] not in FINAL:
            raise AssertionError(f"run {run} is still {item['state']} after {seconds} s")
        return item

    def wait_running(self, run, seconds=60):
        return wait_until(lambda: (item := self.run_of(run))["state"] == "running" and item,
                          seconds, f"run {run} is running")

    def disable(self, *jobs):
        self.edits.append(time.time())
        for job in jobs:
            self.ctl("disable", job)
        self.edits.append(time.time())

    def evidence(self, jobs, faults, slack_s=20):
        """What the checker needs, read once all runs have ended.

        slack_s: a machine that does much else may let a released job wait for its first step."""
        rows, outputs = [], {}
        for job in jobs:
            rows += self.items("history", job.name, "--attempts", "--limit", 1000000)
        for row in rows:
            checks = next(job for job in jobs if job.name == row["job"]).checks_output
            if checks and "started_at" in row:
                key = row["run_id"], row["attempt"]
                outputs[key] = self.ctl("logs", key[0], "--attempt", key[1], "--raw",
                                        text=False).stdout
        witness = self.witness.read_text().splitlines() if self.witness.exists() else []
        return run_checker.Evidence(witness, rows, outputs, faults, self.edits, slack_s)

    def add_second_job(self, name, every_s, run_s):
        """A job that is due each `every_s` seconds, runs `run_s` and writes START and END."""
        self.ctl("add", name, "--schedule", f"*/{every_s} * * * * *", "--dialect", "seconds",
                 "--concurrency", "allow", "--command",
                 SCRIPT.format(file=self.witness, seconds=run_s))

    def history(self, job):
        return self.items("history", job, "--limit", 1000000)

    def settle(self, jobs, seconds):
        """Disables the jobs and waits until none of their runs is alive."""
        self.disable(*jobs)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if all(item["state"] in FINAL for job in jobs for item in self.history(job)):
                return
            time.sleep(0.5)
        raise AssertionError(f"runs are still alive {seconds} s after the last slot")

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
    return int(run_checker.epoch_of(text))


def report(name, faults, **figures):
    print(json.dumps({"test": name, "faults": len(faults), **figures}))
    for fault in faults[:50]:
        print(f"FAULT: {fault}")
    return 1 if faults else 0

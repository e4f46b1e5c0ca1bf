# SPDX-License-Identifier: Apache-2.0
"""Judges what an agent did with its slots: what the jobs witnessed against what history says.

Knows nothing of the product: it has a slot oracle of its own, for `@every Ns` and for six fields
with only a step of seconds. Every slot gets one class; a class that is not allowed is a fault.
"""

import collections
import dataclasses
import datetime
import re

EARLY_S = 0.1      # a start up to this much before its slot is on time
LATE_S = 1.0       # a start up to this much after its slot is on time
RECOVERY_S = 10.0  # how long a fault explains what follows it
EDIT_GRACE_S = 2.0
LINE_BYTES = 64
RAN = {"ok", "failed", "timeout", "killed"}
NOT_RUN = {"skipped", "missed", "cancelled"}
FINAL = RAN | NOT_RUN | {"lost", "unknown"}
# Reasons that only a fault explains. Any that stands nowhere here is never accepted.
FAULT_REASONS = {"too_late", "misfire_skip", "superseded", "host_down", "host_crash",
                 "spawn_failed", "host_unreachable", "host_reboot", "agent_restart",
                 "supervisor_lost", "no_majority"}
EDIT_REASONS = {"edited", "disabled", "removed", "killed", "paused"}


@dataclasses.dataclass
class Job:
    """What was asked for. Its slots are due inside (active_from, active_until)."""

    name: str
    schedule: str
    active_from: float
    active_until: float
    window_s: float = 10
    concurrency: str = "forbid"
    retry: int = 0
    checks_output: bool = False
    edit_s: float = 0  # how long the edit took that ended it


@dataclasses.dataclass
class Fault:
    begin: float
    end: float
    kind: str


@dataclasses.dataclass
class Start:
    run: int
    job: str
    slot: int
    attempt: int
    t: float


@dataclasses.dataclass
class End:
    code: int
    lines: int
    t: float


@dataclasses.dataclass
class Evidence:
    """witness: lines of all jobs. rows: items of `history --attempts`. outputs: (run, attempt) ->
    bytes kept of its output. edits: instants of what changed or stopped a job by hand."""

    witness: list
    rows: list
    outputs: dict = dataclasses.field(default_factory=dict)
    faults: list = dataclasses.field(default_factory=list)
    edits: list = dataclasses.field(default_factory=list)
    clock_slack_s: float = 0.2


class Report:
    def __init__(self):
        self.counts = collections.Counter()
        self.faults = []
        self.reasons = collections.Counter()  # of slots that did not start
        self.lateness = []
        self.starts_late_unexplained = 0

    def judge(self, kind, good, text):
        self.counts[kind] += 1
        if not good:
            self.faults.append(f"{kind}: {text}")


def step_of(schedule):
    """Seconds between two slots, all of them multiples since 1970."""
    found = re.fullmatch(r"@every (\d+)s", schedule)
    if found and int(found[1]) > 0:
        return int(found[1])
    found = re.fullmatch(r"\*(?:/(\d+))? \* \* \* \* \*", schedule)
    if found and 60 % int(found[1] or 1) == 0:
        return int(found[1] or 1)
    raise ValueError(f"the oracle does not know the schedule {schedule!r}")


def slots(schedule, begin, end):
    """Slots strictly inside (begin, end)."""
    step = step_of(schedule)
    first = int(begin // step + 1) * step
    return [slot for slot in range(first, int(end) + 1, step) if slot < end]


def epoch_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def read_witness(lines):
    """Starts and ends of all attempts, ends by (run, attempt). A torn line is an error."""
    starts, ends = [], collections.defaultdict(list)
    for line in lines:
        words = line.split()
        if len(words) == 7 and words[0] == "START":
            starts.append(Start(int(words[1]), words[2], int(words[3]), int(words[4]),
                                float(words[6])))
        elif len(words) == 6 and words[0] == "END":
            ends[int(words[1]), int(words[2])].append(
                End(int(words[3]), int(words[4]), float(words[5])))
        else:
            raise ValueError(f"not a line of a witness: {line!r}")
    return starts, ends


def line_gaps(kept):
    """How the numbered lines of one output break off: (gaps, last number). A cut inside a line is
    one gap with what follows."""
    gaps, last, broken = 0, 0, False
    for line in kept.split(b"\n")[:-1] if kept.endswith(b"\n") else kept.split(b"\n"):
        found = re.fullmatch(rb"L (\d{10}) \.*", line)
        if found is None or len(line) != LINE_BYTES - 1:
            broken = True
            continue
        number = int(found[1])
        gaps += 1 if broken or number != last + 1 else 0
        broken, last = False, number
    return gaps + broken, last


class Checker:
    """late_is_fault: a machine of our own, where an unexplained late start is a fault too."""

    def __init__(self, jobs, evidence, read_time, late_is_fault=False):
        self.jobs = {job.name: job for job in jobs}
        self.evidence = evidence
        self.read_time = read_time
        self.late_is_fault = late_is_fault
        self.starts, self.ends = read_witness(evidence.witness)
        self.rows = {(row["run_id"], row.get("attempt", 0)): row for row in evidence.rows}
        self.report = Report()

    def run(self):
        starts, rows = collections.defaultdict(list), collections.defaultdict(dict)
        for start in sorted(self.starts, key=lambda start: start.t):
            starts[start.job, start.slot].append(start)
        for row in self.evidence.rows:
            if row.get("trigger", "schedule") != "schedule":
                continue
            runs = rows[row["job"], int(epoch_of(row["scheduled_at"]))]
            known = runs.get(row["run_id"])
            if known is None or row.get("attempt", 0) >= known.get("attempt", 0):
                runs[row["run_id"]] = row
        targets = {(job.name, slot) for job in self.jobs.values() for slot in
                   slots(job.schedule, job.active_from, min(job.active_until, self.read_time))}
        manual = {row["run_id"] for row in self.evidence.rows
                  if row.get("trigger", "schedule") != "schedule"}
        for key in sorted(targets | set(rows) | set(starts)):
            found = [start for start in starts[key] if start.run not in manual]
            if key in targets or found or rows[key]:
                self.judge_slot(key, key in targets, found, list(rows[key].values()))
        for start in self.starts:
            self.judge_attempt(start)
        return self.report

    def explained(self, begin, end):
        return any(fault.begin <= end and begin <= fault.end + RECOVERY_S
                   for fault in self.evidence.faults)

    def judge_slot(self, key, is_target, starts, rows):
        name, slot = key
        judge = self.report.judge
        job = self.jobs.get(name)
        if not is_target and not self.is_optional(job, slot):
            judge("PHANTOM", False, f"{name} at {slot}: not a slot of this job, "
                                    f"{len(starts)} starts, {len(rows)} rows")
            return
        if len(rows) > 1:
            judge("DUPLICATE", False, f"{name} at {slot}: {len(rows)} rows")
            return
        row = rows[0] if rows else None
        if len(starts) > 1 and not self.are_retries(job, starts):
            judge("DUPLICATE", False, f"{name} at {slot}: {len(starts)} starts")
        elif starts:
            self.judge_start(job, slot, starts[0], row)
        elif row is not None or is_target:
            self.judge_absent(job, slot, row)

    def is_optional(self, job, slot):
        """On the oracle's grid and beside the border of the time in which the job was there."""
        if job is None or slot % step_of(job.schedule) != 0:
            return False
        return job.active_from - EDIT_GRACE_S <= slot <= (
            job.active_until + job.edit_s + EDIT_GRACE_S)

    def are_retries(self, job, starts):
        """Distinct, increasing attempts, each after the end of the one before."""
        if job.retry < len(starts) - 1:
            return False
        for one, two in zip(starts, starts[1:]):
            row = self.rows.get((one.run, one.attempt), {})
            if one.run != two.run or two.attempt <= one.attempt or "ended_at" not in row:
                return False
            if row["state"] == "ok" or epoch_of(row["ended_at"]) > two.t + EARLY_S:
                return False
        return True

    def judge_start(self, job, slot, start, row):
        judge, late = self.report.judge, start.t - slot
        where = f"{job.name} at {slot}, run {start.run}"
        self.report.lateness.append(late)
        if row is None:
            judge("LOST", False, f"{where}: started, but not in the history")
        elif row["state"] in NOT_RUN:
            judge("MISREPORTED", False, f"{where}: started, but {row['state']}")
        elif late < -EARLY_S:
            judge("EARLY", False, f"{where}: {-late:.3f} s before its time")
        elif late <= LATE_S:
            judge("ON-TIME", True, where)
        elif late <= max(job.window_s, LATE_S):
            good = self.explained(slot, start.t) or not self.late_is_fault
            self.report.starts_late_unexplained += not self.explained(slot, start.t)
            judge("LATE", good, f"{where}: {late:.3f} s")
        else:
            good = job.concurrency == "queue" and not self.late_is_fault
            judge("AFTER-DEADLINE", good, f"{where}: {late:.3f} s")

    def judge_absent(self, job, slot, row):
        judge, where = self.report.judge, f"{job.name} at {slot}"
        if row is None:
            judge("LOST", False, f"{where}: neither started nor in the history")
        elif row["state"] in RAN or row["state"] not in FINAL:
            judge("LOST", False, f"{where}: {row['state']}, but it never started")
        else:
            reason = row.get("reason", "")
            self.report.reasons[reason] += 1
            judge("ACCOUNTED-MISS", self.is_consistent(job, slot, reason),
                  f"{where}: {row['state']}({reason}) has nothing that explains it")

    def is_consistent(self, job, slot, reason):
        if reason in FAULT_REASONS:
            return self.explained(slot, slot + max(job.window_s, LATE_S))
        if reason in EDIT_REASONS:
            return any(slot - RECOVERY_S <= edit <= slot + max(job.window_s, RECOVERY_S)
                       for edit in self.evidence.edits)
        if reason == "overlap":
            return job.concurrency == "forbid" and any(
                start.job == job.name and start.slot < slot and
                all(end.t >= slot - EARLY_S for end in self.ends[start.run, start.attempt])
                for start in self.starts)
        return False

    def judge_attempt(self, start):
        judge = self.report.judge
        where = f"{start.job}, run {start.run}, attempt {start.attempt}"
        row = self.rows.get((start.run, start.attempt))
        ends = self.ends[start.run, start.attempt]
        if row is None or row["state"] not in FINAL:
            judge("ORPHANED", False, f"{where}: {row['state'] if row else 'no row'} at the end")
            return
        if not ends:
            explained = row["state"] in {"killed", "timeout"} or (
                row["state"] in {"unknown", "lost"} and self.explained(start.t, self.read_time))
            judge("INCOMPLETE", explained, f"{where}: no END, but {row['state']}")
            return
        wrong = self.misreports(start, ends[0], row)
        if wrong:
            judge("MISREPORTED", False, f"{where}: {wrong}")
        self.judge_output(start, ends[0], row, where)

    def misreports(self, start, end, row):
        slack = self.evidence.clock_slack_s
        if row["state"] not in RAN:
            return f"ended with {end.code}, but {row['state']}({row.get('reason', '')})"
        if row["state"] in {"ok", "failed"} and (row["state"] == "ok") != (end.code == 0):
            return f"ended with {end.code}, but {row['state']}"
        if "exit_code" in row and row["exit_code"] != end.code:
            return f"ended with {end.code}, but exit_code {row['exit_code']}"
        if row["state"] in {"ok", "failed"} and "exit_code" not in row:
            return f"ended with {end.code}, but no exit_code"
        if abs(epoch_of(row["started_at"]) - start.t) > slack:
            return f"started_at {row['started_at']}, but it was {start.t}"
        if abs(epoch_of(row["ended_at"]) - end.t) > slack:
            return f"ended_at {row['ended_at']}, but it was {end.t}"
        return ""

    def judge_output(self, start, end, row, where):
        job = self.jobs.get(start.job)
        if job is None or not job.checks_output:
            return
        judge, written = self.report.judge, end.lines * LINE_BYTES
        if row.get("output_bytes") != written:
            judge("OUTPUT-LOST", False, f"{where}: wrote {written} bytes, but output_bytes is "
                                        f"{row.get('output_bytes')}")
            return
        kept = self.outputs_of(start)
        if kept is None:
            judge("OUTPUT-LOST", False, f"{where}: no output")
            return
        gaps, last = line_gaps(kept)
        cut = bool(row.get("output_truncated"))
        if gaps > cut or last != end.lines or (not cut and len(kept) != written):
            judge("OUTPUT-LOST", False, f"{where}: {gaps} gaps, ends with line {last} of "
                                        f"{end.lines}, {len(kept)} of {written} bytes, "
                                        f"{'' if cut else 'not '}marked as cut")
        elif cut and len(kept) >= written:
            judge("MISREPORTED", False, f"{where}: marked as cut, but nothing is")
        else:
            judge("OUTPUT-KEPT" if not cut else "OUTPUT-CUT", True, where)

    def outputs_of(self, start):
        return self.evidence.outputs.get((start.run, start.attempt))

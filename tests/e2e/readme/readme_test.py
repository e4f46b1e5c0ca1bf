#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays the transcript of README.md against an ephemeral agent.

Between the marks, each line that begins with `$ ` is a command; the lines below it are what it
prints (stdout and stderr together). In expected lines `...` stands for any text within the line;
a line that is only `...` stands for any number of lines. Environment: DISTCRON_BIN.
"""

import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("DISTCRON_BIN", ROOT / "build/bin"))
START_S = 20
COMMAND_S = 20
END_S = 10


def transcript(text):
    """The (command, expected lines) pairs between the marks."""
    block = re.search(r"<!-- transcript:begin -->\n(.*?)<!-- transcript:end -->", text, re.S)
    if not block:
        sys.exit("README.md has no transcript marks")
    steps = []
    for line in block.group(1).split("\n"):
        if line.startswith("```"):
            continue
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif steps:
            steps[-1][1].append(line)
    for _, expected in steps:
        while expected and not expected[-1]:
            expected.pop()
    return steps


def pattern_of(expected):
    """One regular expression for the whole output of a command."""
    parts = []
    for line in expected:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            words = (re.escape(re.sub(r"\s+", " ", part)).replace(r"\ ", r"\s+")
                     for part in line.split("..."))
            parts.append(r".*?".join(words) + r"\s*\n")
    return re.compile("".join(parts) + r"\Z")


def start_agent(log):
    agent = subprocess.Popen([BIN / "distcrond", "--ephemeral"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=log)
    until = time.monotonic() + START_S
    text = b""
    while text.count(b"\n") < 2:
        left = until - time.monotonic()
        ready, _, _ = select.select([agent.stdout], [], [], max(left, 0))
        chunk = os.read(agent.stdout.fileno(), 4096) if ready else b""
        if not chunk:
            return agent, None
        text += chunk
    return agent, dict(re.findall(r"^export (\w+)=(.*)$", text.decode(), re.M))


def replay(steps, environment):
    failures = 0
    for command, expected in steps:
        try:
            done = subprocess.run(["/bin/sh", "-c", command], env=environment, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=COMMAND_S, check=False)
        except subprocess.TimeoutExpired as late:
            failures += 1
            printed = (late.stdout or b"").decode(errors="replace")
            print(f"NO END within {COMMAND_S} s: {command}\n{printed}")
            continue
        if pattern_of(expected).match(done.stdout):
            print(f"good: {command}")
            continue
        failures += 1
        print(f"DIFFERS: {command} (status {done.returncode})")
        print("  README.md says:\n    " + "\n    ".join(expected))
        print("  it printed:\n    " + "\n    ".join(done.stdout.splitlines()))
    return failures


def left_over(folder):
    """Processes that name the agent's folder; guard and executor may take a moment to end."""
    until = time.monotonic() + END_S
    while True:
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it has ended meanwhile
            if folder in words:
                found.append(f"{entry.parent.name}: {words}")
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.1)


def main():
    if not (BIN / "distcrond").exists() or not (BIN / "distcronctl").exists():
        print(f"SKIP: no programs in {BIN}")
        return 77
    steps = transcript((ROOT / "README.md").read_text(encoding="utf-8"))
    with tempfile.TemporaryFile() as log:
        agent, exports = start_agent(log)
        try:
            if exports is None:
                print(f"the agent did not answer within {START_S} s")
                failures = 1
            else:
                unquoted = {key: value.strip("'\"") for key, value in exports.items()}
                environment = {**os.environ, **unquoted, "PATH": f"{BIN}:{os.environ['PATH']}",
                               "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}
                failures = replay(steps, environment)
        finally:
            if agent.poll() is None:
                agent.send_signal(signal.SIGTERM)
            status = agent.wait(timeout=30)
            agent.stdout.close()
        if status != 0:
            print(f"the agent ended with status {status}")
            failures += 1
        if exports:
            folder = re.sub(r"^ipc://|/run/.*$", "", unquoted["DISTCRON_ENDPOINT"])
            for process in left_over(folder):
                print(f"still there after the agent's end: {process}")
                failures += 1
            if pathlib.Path(folder).exists():
                print(f"still there after the agent's end: {folder}")
                failures += 1
        if failures:
            log.seek(0)
            print("the agent's log:\n" + log.read().decode(errors="replace"))
    print(f"{len(steps)} commands, {failures} failures")
    return 1 if failures or not steps else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs Debian's real cron daemon in mount and pid namespaces of its own, under a clock of our own.

run() starts this file again inside of `unshare -mpf --mount-proc`. There /etc/cron.d,
/var/spool/cron, /run and /dev are fresh, /etc/crontab and /etc/passwd are ours, and what cron logs
arrives at a socket of ours. Nothing of it is seen outside, and all of it ends with the namespace.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

CRON = "/usr/sbin/cron"
LIBFAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
MARK = "daemon-test-mark"

RECORDER = """#!/usr/bin/python3
import json, os, pwd, sys, uuid
record = {"user": pwd.getpwuid(os.getuid()).pw_name, "command": sys.argv[2],
          "stdin": sys.stdin.buffer.read().decode("latin-1"), "cwd": os.getcwd(),
          "env": dict(os.environ)}
with open("%s/" + uuid.uuid4().hex, "w") as out:
    json.dump(record, out)
"""


def missing():
    """Why the daemon cannot be run here, or None."""
    if os.geteuid() != 0:
        return "needs root for namespaces"
    if not os.access(CRON, os.X_OK) or not os.path.exists("/var/lib/dpkg/info/cron.list"):
        return "the package cron is not installed"
    if not faketime_library():
        return "the package faketime is not installed"
    done = subprocess.run(["unshare", "-mpf", "--mount-proc", "true"], capture_output=True,
                          check=False)
    return None if done.returncode == 0 else "this kernel refuses unshare"


def faketime_library():
    for base in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"):
        path = base + "/faketime/libfaketime.so.1"
        if os.path.exists(path):
            return path
    return None


def run(files, start, minutes=1, users=(), spool=None, links=None, modes=None, rate=20):
    """Starts cron at the UTC time `start` ("2026-03-02 10:00:57") and lets `minutes` minutes begin.

    files: name in /etc/cron.d (or "/etc/crontab") -> bytes; {{RECORDER}} in them stands for a
    shell that records. users: names added to /etc/passwd. spool: user -> bytes. links: name ->
    target. modes: name -> mode or (mode, uid).
    Returns {"log": [lines of cron's log], "records": [what the recorder saw]}.
    """
    with tempfile.TemporaryDirectory(prefix="distcron-cron-") as work:
        config = {
            "work": work, "start": start, "minutes": minutes, "users": list(users), "rate": rate,
            "files": {name: data.decode("latin-1") for name, data in files.items()},
            "spool": {name: data.decode("latin-1") for name, data in (spool or {}).items()},
            "links": links or {}, "modes": modes or {},
        }
        with open(os.path.join(work, "config.json"), "w", encoding="ascii") as out:
            json.dump(config, out)
        done = subprocess.run(
            ["unshare", "-mpf", "--mount-proc", sys.executable, os.path.abspath(__file__), work],
            capture_output=True, check=False, timeout=240)
        if done.returncode != 0:
            raise RuntimeError(f"cannot run cron: {done.stderr.decode()}")
        with open(os.path.join(work, "result.json"), encoding="ascii") as source:
            return json.load(source)


def commands(log):
    """(user, command) of each CMD line of a log made with -L 15."""
    found = []
    for line in log:
        match = re.search(r"\((\S+)\) CMD \(\[\d+\] (.*)\)$", line, re.DOTALL)
        if match:
            found.append((match.group(1), match.group(2)))
    return found


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def make_dev(work):
    dev = os.path.join(work, "dev")
    os.mkdir(dev)
    mount("-t", "tmpfs", "tmpfs", dev)
    for name in ("null", "zero", "full", "random", "urandom"):
        open(os.path.join(dev, name), "wb").close()
        mount("--bind", "/dev/" + name, os.path.join(dev, name))
    os.mkdir(os.path.join(dev, "shm"))
    os.chmod(os.path.join(dev, "shm"), 0o1777)
    mount("--rbind", dev, "/dev")


def make_tables(config, work):
    records = os.path.join(work, "records")
    os.mkdir(records)
    os.chmod(records, 0o1777)
    os.chmod(work, 0o755)
    recorder = os.path.join(work, "recorder")
    with open(recorder, "w", encoding="ascii") as out:
        out.write(RECORDER % records)
    os.chmod(recorder, 0o755)
    for path in ("/etc/cron.d", "/var/spool/cron", "/run"):
        mount("-t", "tmpfs", "tmpfs", path)
    os.mkdir("/var/spool/cron/crontabs")
    os.chmod("/var/spool/cron/crontabs", 0o1730)
    shutil.chown("/var/spool/cron/crontabs", group="crontab")
    table = os.path.join(work, "crontab")
    with open(table, "wb") as out:
        out.write(config["files"].pop("/etc/crontab", "").encode("latin-1"))
    mount("--bind", table, "/etc/crontab")
    for name, text in config["files"].items():
        with open("/etc/cron.d/" + name, "wb") as out:
            out.write(text.replace("{{RECORDER}}", recorder).encode("latin-1"))
        os.chmod("/etc/cron.d/" + name, 0o644)
    for name, text in config["spool"].items():
        path = "/var/spool/cron/crontabs/" + name
        with open(path, "wb") as out:
            out.write(text.replace("{{RECORDER}}", recorder).encode("latin-1"))
        os.chmod(path, 0o600)
        shutil.chown(path, name, "crontab")
    for name, target in config["links"].items():
        os.symlink(target, "/etc/cron.d/" + name)
    for name, mode in config["modes"].items():
        mode, uid = mode if isinstance(mode, list) else (mode, 0)
        os.chmod("/etc/cron.d/" + name, mode)
        os.chown("/etc/cron.d/" + name, uid, -1)


def make_users(config, work):
    path = os.path.join(work, "passwd")
    with open("/etc/passwd", encoding="utf-8") as source, open(path, "w", encoding="utf-8") as out:
        out.write(source.read())
        for index, name in enumerate(config["users"]):
            out.write(f"{name}:*:{61000 + index}:65534:{name}:/tmp:/bin/sh\n")
    mount("--bind", path, "/etc/passwd")


def listen(log):
    """Collects what arrives at /dev/log; whole messages, without priority."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    server.bind("/dev/log")
    os.chmod("/dev/log", 0o666)

    def collect():
        while True:
            data = server.recv(65536).rstrip(b"\0\n")
            log.append(re.sub(r"^<\d+>", "", data.decode("latin-1")))

    threading.Thread(target=collect, daemon=True).start()


def others_at_work(daemon):
    """Whether the daemon, or anything else in this namespace but this process, does something."""
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as source:
                state = source.read().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it has just ended
        if state != "Z" and (int(name) != daemon or state != "S"):
            return True
    return False


def inner(work):
    with open(os.path.join(work, "config.json"), encoding="ascii") as source:
        config = json.load(source)
    make_dev(work)
    make_users(config, work)
    config["files"][MARK] = f"* * * * * root : {MARK}\n"
    make_tables(config, work)
    log = []
    listen(log)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC",
                   "LD_PRELOAD": faketime_library(),
                   "FAKETIME": f"@{config['start']} x{config['rate']}"}
    daemon = subprocess.Popen([CRON, "-f", "-L", "15"], env=environment,
                              stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        marks = sum(1 for line in list(log) if "CMD" in line and MARK in line)
        if marks >= config["minutes"]:
            break
        time.sleep(0.02)
    else:
        raise SystemExit(f"cron did not reach the minute; its log: {log!r}")
    # Other jobs of the minute: until cron waits, nothing else runs here and the log is quiet.
    quiet, settled = 0, len(log)
    while quiet < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
        is_quiet = len(log) == settled and not others_at_work(daemon.pid)
        quiet = quiet + 1 if is_quiet else 0
        settled = len(log)
    daemon.kill()
    daemon.wait()
    records = []
    for name in os.listdir(os.path.join(work, "records")):
        with open(os.path.join(work, "records", name), encoding="utf-8") as source:
            records.append(json.load(source))
    with open(os.path.join(work, "result.json"), "w", encoding="ascii") as out:
        json.dump({"log": log, "records": records}, out)


if __name__ == "__main__":
    inner(sys.argv[1])

# SPDX-License-Identifier: Apache-2.0
"""Other schedulers under the same herd. What is not there is said to be not there."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import machine

KNOWN = {"debian-cron": "cron", "cronie": "crond"}
WAIT_S = 150  # one whole minute to the next slot, and a slow herd
FOLDER = "/usr/sbin:/usr/local/sbin:/sbin"


def measure(wanted, plan, limit):
    """{name: what was found}."""
    paths = dict(word.partition("=")[::2] for word in wanted)
    found = {}
    for name, program in KNOWN.items():
        path = paths.get(name) or shutil.which(program, path=FOLDER)
        if not path:
            found[name] = "not present"
        elif name not in paths:
            found[name] = "present, not asked for (--peer)"
        elif os.geteuid() != 0:
            found[name] = "not measured: needs root for namespaces"
        else:
            found[name] = herd(name, path, plan.herd, limit)
    return found


def herd(name, path, count, limit):
    """`count` stamp jobs of one minute, in mount and pid namespaces that end with the daemon."""
    stamps = limit.scratch / f"{name}.stamps"
    table = limit.scratch / f"{name}.tab"
    table.write_text("".join(f"* * * * * root {limit.programs.stamp} {stamps} {number}\n"
                             for number in range(count)), encoding="ascii")
    script = pathlib.Path(__file__).resolve()
    with subprocess.Popen(["unshare", "-mpf", "--kill-child", "--mount-proc", sys.executable,
                           script, path, table], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as daemon:
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until and daemon.poll() is None and \
                len(machine.read_stamps(stamps)) < count:
            time.sleep(0.2)
        problem = daemon.stderr.read().decode().strip() if daemon.poll() is not None else ""
        daemon.kill()
    starts = machine.read_stamps(stamps)
    if not starts:
        return f"measured nothing: {problem or 'no job started'}"
    due = min(ns for ns, _, _ in starts) // 60_000_000_000 * 60_000_000_000
    return {"jobs": count, "started": len({number for _, _, number in starts}),
            "last_ms": round((max(ns for ns, _, _ in starts[:count]) - due) / 1e6, 1)}


def serve(daemon, table):
    """Inside the namespaces: fresh tables, then the daemon in the foreground."""
    for folder in ("/etc/cron.d", "/var/spool/cron", "/run"):
        if os.path.isdir(folder):
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    os.makedirs("/var/spool/cron/crontabs", exist_ok=True)
    if os.path.exists("/etc/crontab"):
        subprocess.run(["mount", "--bind", "/dev/null", "/etc/crontab"], check=True)
    shutil.copyfile(table, "/etc/cron.d/herd")
    os.chmod("/etc/cron.d/herd", 0o644)
    switch = "-n" if os.path.basename(daemon) == "crond" else "-f"
    os.execv(daemon, [daemon, switch])


if __name__ == "__main__":
    serve(*sys.argv[1:])

# SPDX-License-Identifier: Apache-2.0
"""What the real Debian cron and our parser say about crontab text.

Ours comes from the program `crontab_dump` (environment DISTCRON_CRONTAB_DUMP). Debian's comes from
`crontab -n`, run in a mount namespace of its own so that the host's spool is never touched.
"""

import json
import os
import shutil
import subprocess
import tempfile

DEBIAN_LOOP = r"""
if [ "$1" = private ]; then
  mount -t tmpfs tmpfs /var/spool/cron && mkdir /var/spool/cron/crontabs || exit 99
  chgrp crontab /var/spool/cron/crontabs && chmod 1730 /var/spool/cron/crontabs || exit 99
fi
for file in [0-9]*; do
  message=$(LC_ALL=C crontab -n "$file" 2>&1 >/dev/null)
  echo "$file $? $(printf %s "$message" | head -1)"
done
"""


def dump_program():
    """Path of crontab_dump, or None."""
    path = os.environ.get("DISTCRON_CRONTAB_DUMP", "")
    return path if os.access(path, os.X_OK) else None


def debian_crontab():
    """Path of Debian's own crontab program, or None when it is missing or another one's."""
    path = shutil.which("crontab")
    if not path or not os.path.exists("/var/lib/dpkg/info/cron.list"):
        return None
    return path


def can_unshare():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-mpf", "--mount-proc", "true"], capture_output=True, check=False
    ).returncode == 0


def write_tables(directory, tables):
    """Writes each bytes object as a file 000000, 000001, ... and returns the paths."""
    paths = []
    for index, table in enumerate(tables):
        path = os.path.join(directory, f"{index:06d}")
        with open(path, "wb") as out:
            out.write(table)
        paths.append(path)
    return paths


def debian_verdicts(tables):
    """For each table (bytes): (accepted, first line of the message) of `crontab -n`."""
    with tempfile.TemporaryDirectory(prefix="distcron-oracle-") as directory:
        write_tables(directory, tables)
        if can_unshare():
            command = ["unshare", "-m", "sh", "-c", DEBIAN_LOOP, "sh", "private"]
        else:
            command = ["sh", "-c", DEBIAN_LOOP, "sh", "shared"]
        done = subprocess.run(command, cwd=directory, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"cannot run crontab -n: {done.stderr!r}")
        verdicts = []
        for line in done.stdout.split(b"\n")[:-1]:
            parts = line.split(b" ", 2)
            if len(parts) < 2 or not parts[1].isdigit():
                continue  # second line of a message
            message = parts[2].decode("latin-1") if len(parts) > 2 else ""
            verdicts.append((parts[1] == b"0", message))
        if len(verdicts) != len(tables):
            raise RuntimeError(f"{len(verdicts)} verdicts for {len(tables)} tables")
        return verdicts


def our_tables(tables, dialect, kind, users=None, lint=False):
    """For each table: {"file": {...}, "lines": [...], "lints": [...]} of crontab_dump."""
    with tempfile.TemporaryDirectory(prefix="distcron-ours-") as directory:
        paths = write_tables(directory, tables)
        results = []
        for begin in range(0, len(paths), 2000):
            command = [dump_program(), dialect, kind]
            if users is not None:
                command += ["--users", ",".join(users)]
            if lint:
                command.append("--lint")
            done = subprocess.run(command + paths[begin:begin + 2000], capture_output=True,
                                  check=True)
            for text in done.stdout.decode("ascii").splitlines():
                item = json.loads(text)
                if "file" in item:
                    results.append({"file": item, "lines": [], "lints": []})
                elif "lint" in item:
                    results[-1]["lints"].append(item)
                else:
                    results[-1]["lines"].append(item)
        return results


def our_verdicts(tables, dialect, kind, users=None):
    """For each table: whether the daemon would take it without a complaint."""
    verdicts = []
    for result in our_tables(tables, dialect, kind, users):
        refused = any(line["kind"] == "refused" for line in result["lines"])
        verdicts.append(not refused and not result["file"]["ignored"])
    return verdicts

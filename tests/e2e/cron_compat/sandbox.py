# SPDX-License-Identifier: Apache-2.0
"""A host of its own for one test: mount, pid, host name and IPC namespaces around the whole script.

main() starts the script again inside of `unshare`. There /etc/cron.d, /var/spool/cron, /run and
/dev are fresh, and files of /etc and programs of /usr/sbin can be replaced. Nothing of it is seen
outside, and all of it ends with the namespace.
"""

import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "crontab"))
sys.path.insert(0, str(HERE.parents[1] / "support"))
import daemon  # noqa: E402  of tests/e2e/crontab
import one_node  # noqa: E402

INSIDE = "DISTCRON_SANDBOX"
SPOOL = "/var/spool/cron/crontabs"
# The made user is in two more groups, and its home is in the work folder.
USER = "cronjoe"
USER_ID = 61000
SENDMAIL = """#!/bin/sh
# Keeps the call: arguments, environment's PATH, who called, and the mail.
file=$(mktemp {folder}/XXXXXXXX)
{{ id -un; for word in "$@"; do echo "arg $word"; done; echo; cat; }} > "$file"
mv "$file" "$file.mail"
"""


def main(needs_cron=True):
    """Of each test script: runs unittest inside of the namespaces, or says why not."""
    one_node.skip_without_programs()
    if os.environ.get(INSIDE):
        unittest.main(verbosity=2)
    why = daemon.missing() if needs_cron else None
    if os.geteuid() != 0:
        why = "needs root for namespaces"
    if why:
        one_node.skip(why)
    namespaces = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child",
                  "--mount-proc", "--propagation", "private"]
    probe = subprocess.run([*namespaces, "true"], check=False, capture_output=True, text=True)
    if probe.returncode != 0:
        one_node.skip(f"cannot make namespaces: {probe.stderr.strip()}")
    with tempfile.TemporaryDirectory(prefix="distcron-sandbox.") as work:
        os.chmod(work, 0o755)
        done = subprocess.run(
            [*namespaces, sys.executable, *sys.argv],
            env={**os.environ, INSIDE: work}, check=False)
        if done.returncode != 0:  # the folder goes now
            for log in sorted(pathlib.Path(work).glob("t/*/agent.log")):
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
                print(log, *lines[-30:], sep="\n  ")
    sys.exit(done.returncode)


def work():
    """The folder that everything of a test lies in; it is removed at the end."""
    return pathlib.Path(os.environ.get(INSIDE, "/nonexistent"))


class Host:
    """The fresh host. Made once per script: mounts stay until the namespace ends."""

    def __init__(self):
        self.log = []  # what arrived at /dev/log
        self.cron = None
        # Also the storage of agents: nothing is left outside when a test breaks off.
        self.folder = work() / "t"
        self.folder.mkdir()
        self.folder.chmod(0o1777)
        tempfile.tempdir = str(self.folder)
        daemon.make_dev(str(self.folder))
        for path in ("/etc/cron.d", "/var/spool/cron", "/run"):
            daemon.mount("-t", "tmpfs", "tmpfs", path)
        subprocess.run(["hostname", "cronhost"], check=True)
        self.make_users()
        self.replace("/etc/crontab", "")
        os.mkdir(SPOOL)
        os.chmod(SPOOL, 0o1730)
        shutil.chown(SPOOL, group="crontab")
        daemon.listen(self.log)

    def replace(self, path, text, mode=0o644):
        """Another text for a file that exists; a second call changes it again."""
        own = self.folder / path.replace("/", "_")
        fresh = not own.exists()
        own.write_text(text, encoding="utf-8")
        own.chmod(mode)
        if fresh:
            daemon.mount("--bind", str(own), path)
        return own

    def make_users(self):
        home = self.folder / "home"
        home.mkdir()
        os.chown(home, USER_ID, USER_ID)
        self.home = str(home)
        # No shadow line: PAM takes the star from here.
        passwd = pathlib.Path("/etc/passwd").read_text(encoding="utf-8")
        passwd += (f"{USER}:*:{USER_ID}:{USER_ID}:Joe,,,:{home}:/bin/bash\n"
                   f"homeless:*:61001:65534:No home:/nowhere/at/all:\n")
        group = pathlib.Path("/etc/group").read_text(encoding="utf-8")
        group += f"{USER}:x:{USER_ID}:\nextra:x:61100:{USER}\nmore:x:61101:daemon,{USER}\n"
        self.replace("/etc/passwd", passwd)
        self.replace("/etc/group", group)

    def overlay_etc(self):
        """From here on new files can be made in /etc."""
        copy = self.folder / "etc"
        subprocess.run(["cp", "-a", "/etc", str(copy)], check=True)
        daemon.mount("-t", "tmpfs", "tmpfs", str(copy / "cron.d"))
        daemon.mount("--rbind", str(copy), "/etc")

    def fake_sendmail(self):
        """Returns the folder of what is sent: one file NAME.mail per call."""
        folder = self.folder / "mail"
        folder.mkdir()
        folder.chmod(0o1777)
        programs = self.folder / "sbin"
        subprocess.run(["cp", "-a", "/usr/sbin", str(programs)], check=True)
        program = programs / "sendmail"
        program.unlink(missing_ok=True)
        program.write_text(SENDMAIL.format(folder=folder), encoding="ascii")
        program.chmod(0o755)
        daemon.mount("--bind", str(programs), "/usr/sbin")
        return folder

    def write_system_table(self, name, text):
        path = pathlib.Path("/etc/cron.d") / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return path

    def write_user_table(self, user, text):
        path = pathlib.Path(SPOOL) / user
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        os.chown(path, pwd.getpwnam(user).pw_uid, -1)
        return path

    def start_cron(self, start="2026-03-02 10:00:57", options=(), environment=None):
        """Debian's cron under a clock of its own, which its jobs do not see."""
        self.cron = subprocess.Popen(
            [daemon.CRON, "-f", *options], stdin=subprocess.DEVNULL, cwd="/",
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                 "LANG": "C.UTF-8", "TZ": "UTC", "LD_PRELOAD": daemon.faketime_library(),
                 "FAKETIME": f"@{start}", **(environment or {})})

    def stop_cron(self):
        self.cron.kill()
        self.cron.wait()

    def log_lines(self, pattern):
        return [line for line in list(self.log) if re.search(pattern, line)]

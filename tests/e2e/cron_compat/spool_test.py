#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the executor, as root, opens of the spool for its agent: users' tables and nothing else."""

import errno
import fcntl
import os
import socket
import struct
import subprocess
import unittest

import sandbox
from sandbox import one_node

LAYOUT = struct.Struct("=IHHqiiqqq")
MAGIC, VERSION, SPOOL, SPOOL_FILE = 0x4d454344, 1, 6, 22


class SpoolTest(unittest.TestCase):
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host()

    def start(self, *options):
        SpoolTest.count += 1
        base = self.host.folder / f"exec{SpoolTest.count}"
        base.mkdir()
        path = base / "socket"
        program = subprocess.Popen(
            [one_node.BIN / "distcron-exec", "--socket", path, "--run-dir", base / "run",
             "--state-dir", base / "state", "--cgroup", "off", *options], stdin=subprocess.DEVNULL)
        self.addCleanup(lambda: (program.terminate(), program.wait()))
        agent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(agent.close)
        one_node.wait_until(path.exists, 20, "the executor listens")
        one_node.wait_until(lambda: agent.connect_ex(str(path)) == 0, 20, "it answers")
        agent.settimeout(20)
        self.assertEqual(LAYOUT.unpack_from(agent.recv(1000))[2], 16)  # hello
        return agent

    def ask(self, agent, name, question=7):
        """(errno, bytes or None)"""
        text = os.fsencode(name)
        agent.send(LAYOUT.pack(MAGIC, VERSION, SPOOL, 0, 0, 0, question, 0, 0) + text)
        data, files, _, _ = socket.recv_fds(agent, 1000, 4)
        fields = LAYOUT.unpack_from(data)
        self.assertEqual((fields[2], fields[6], data[LAYOUT.size:]), (SPOOL_FILE, question, text))
        self.assertLessEqual(len(files), 1)
        self.assertEqual(bool(files), fields[5] == 0)
        if not files:
            return fields[5], None
        with os.fdopen(files[0], "rb") as table:
            if name:
                flags = fcntl.fcntl(table, fcntl.F_GETFL)
                self.assertEqual(flags & os.O_ACCMODE, os.O_RDONLY)
            return 0, table.read()

    def test_only_tables_of_the_folder_are_handed_out(self):
        spool = self.host.folder / "spool"
        spool.mkdir(mode=0o700)
        secret = self.host.folder / "secret"
        secret.write_text("secret", encoding="ascii")
        (spool / "joe").write_text("joe's table", encoding="ascii")
        (spool / "joe").chmod(0o600)
        (spool / "empty").touch()
        (spool / "soft").symlink_to(secret)
        os.link(secret, spool / "hard")
        os.mkfifo(spool / "fifo")
        (spool / "folder").mkdir()
        os.mknod(spool / "device", 0o20600, os.makedev(1, 5))
        (spool / ".hidden").write_text("secret", encoding="ascii")
        (spool / "a name").write_text("secret", encoding="ascii")
        with (spool / "large").open("wb") as large:
            large.truncate((16 << 20) + 1)
        agent = self.start("--spool-dir", spool)
        fault, names = self.ask(agent, "")
        self.assertEqual(fault, 0)
        self.assertEqual(sorted(names.split(b"\0")[:-1]), sorted(
            [b"joe", b"empty", b"soft", b"hard", b"fifo", b"folder", b"device", b"large"]))
        self.assertEqual(self.ask(agent, "joe"), (0, b"joe's table"))
        self.assertEqual(self.ask(agent, "empty"), (0, b""))
        refused = {"soft": errno.ELOOP, "hard": errno.EMLINK, "large": errno.EFBIG,
                   "nobody": errno.ENOENT}
        for name in ("fifo", "folder", "device", ".hidden", "a name", ".", "..", "../secret",
                     str(secret), "joe/", "./joe", "joe\0", "joe\n", "x" * 256):
            refused[name] = errno.EINVAL
        for name, expected in refused.items():
            with self.subTest(name=name):
                self.assertEqual(self.ask(agent, name), (expected, None))
        print(f"{len(refused)} names refused")

    def test_without_the_option_nothing_is_handed_out(self):
        agent = self.start()
        self.assertEqual(self.ask(agent, ""), (errno.ENOTSUP, None))
        self.assertEqual(self.ask(agent, "root"), (errno.ENOTSUP, None))

    def test_questions_without_reading_are_answered_in_order_later(self):
        spool = self.host.folder / "many"
        spool.mkdir()
        (spool / "joe").write_text("x", encoding="ascii")
        agent = self.start("--spool-dir", spool)
        count = 2000
        for question in range(count):
            agent.send(LAYOUT.pack(MAGIC, VERSION, SPOOL, 0, 0, 0, question, 0, 0) + b"joe")
        for question in range(count):
            data, files, _, _ = socket.recv_fds(agent, 1000, 1)
            self.assertEqual(LAYOUT.unpack_from(data)[6], question)
            self.assertEqual(len(files), 1)
            os.close(files[0])


if __name__ == "__main__":
    sandbox.main(needs_cron=False)

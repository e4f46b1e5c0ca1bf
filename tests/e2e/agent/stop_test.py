#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ends and starts of an agent: what goes on, what is refused, and with which exit status."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import one_node  # noqa: E402

PAGE = 4096


def said(node, since=0):
    return node.log_path.read_text()[since:]


def is_alive(pid):
    try:
        return " Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class StopTest(unittest.TestCase):
    def test_jobs_outlive_sigterm_and_are_adopted(self):
        with one_node.OneNode() as node:
            gate = node.folder / "gate"
            node.ctl("add", "waits", "--manual", "--concurrency", "allow", "--command",
                     f"until [ -e {gate} ]; do sleep 0.1; done; exit 5")
            stopped = node.folder / "stopped"
            node.ctl("add", "short", "--manual", "--command",
                     f"until [ -e {stopped} ]; do sleep 0.1; done; echo said; exit 6")
            waits, short = node.run_job("waits"), node.run_job("short")
            pid = node.wait_running(waits)["pid"]
            node.wait_running(short)
            self.assertEqual(node.stop(), 0)
            self.assertTrue(is_alive(pid))
            stopped.touch()
            one_node.wait_until(lambda: not one_node.processes(["echo said; exit 6"]), 30,
                                "the short job ends without an agent")
            node.start()
            item = node.wait(short)
            self.assertEqual((item["state"], item["exit_code"]), ("failed", 6))
            self.assertEqual(node.ctl("logs", short, "--raw").stdout, "said\n")
            self.assertEqual(node.run_of(waits)["state"], "running")
            self.assertTrue(is_alive(pid))
            gate.touch()
            item = node.wait(waits)
            self.assertEqual((item["state"], item["exit_code"]), ("failed", 5))

    def test_a_kill_reaches_a_run_whose_executor_is_stuck_over_a_restart(self):
        """The kill is committed, the agent dies before the executor could hear of it."""
        with one_node.OneNode() as node:
            node.ctl("add", "waits", "--manual", "--concurrency", "allow", "--command", "sleep 300")
            before, after = node.run_job("waits"), node.run_job("waits")
            node.wait_running(before)
            node.wait_running(after)
            (executor,) = node.executors()[1]
            node.kill()
            os.kill(executor, signal.SIGSTOP)
            try:
                node.start()
                node.ctl("kill", before)
                node.kill()
                node.start()
                node.ctl("kill", after)
            finally:
                os.kill(executor, signal.SIGCONT)
            for run in (before, after):
                item = node.wait(run)
                self.assertEqual((item["state"], item["reason"]), ("killed", "user"))

    def test_a_second_agent_on_the_same_storage_is_refused(self):
        with one_node.OneNode() as node:
            second = node.launch()
            self.assertEqual(second.wait(timeout=60), 75)
            self.assertIn(str(node.storage), said(node))
            self.assertEqual(node.ctl("list", "-q").returncode, 0)

    def test_a_busy_control_port_is_an_error(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with one_node.OneNode() as node:
                node.stop()
                node.sets.append(f"control.listen=ipc://{node.storage}/run/control.sock,"
                                 f"tcp://127.0.0.1:{port}")
                self.assertEqual(node.launch().wait(timeout=60), 69)
                self.assertIn(str(port), said(node))
                node.sets.pop()
                node.start()

    def test_an_ephemeral_agent_leaves_nothing(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="distcron-node."))
        agent = subprocess.Popen([one_node.BIN / "distcrond", "--ephemeral"], text=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": folder})
        try:
            lines = [agent.stdout.readline().strip() for _ in range(2)]
            names = dict(line.removeprefix("export ").split("=", 1) for line in lines)
            self.assertEqual(set(names), {"DISTCRON_ENDPOINT", "DISTCRON_KEY"})

            def ctl(*words):
                return subprocess.run([one_node.BIN / "distcronctl", *words], check=True,
                                      env={**os.environ, **names}, capture_output=True, text=True)
            ctl("add", "waits", "--manual", "--command", f"cd {folder}; sleep 301")
            ctl("run", "waits", "-q")
            one_node.wait_until(lambda: one_node.processes(["sleep", "301"]), 30, "the job runs")
            self.assertEqual(len(list(folder.iterdir())), 1)
            agent.terminate()
            self.assertEqual(agent.wait(timeout=30), 0)
            self.assertEqual(one_node.processes(["sleep", "301"]), [])
            one_node.wait_until(lambda: not one_node.processes([f"{folder}/"]), 20,
                                "guard and executor have ended")
            self.assertEqual(list(folder.iterdir()), [])
        finally:
            if agent.poll() is None:
                agent.kill()
                agent.wait()
            agent.stdout.close()
            shutil.rmtree(folder, ignore_errors=True)

    def test_a_bad_configuration_is_refused_with_its_place(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "bad.toml"
            file.write_text('[storage]\ndir = "/nowhere"\n\n[exec]\nmax_runing = 3\n')
            done = subprocess.run([one_node.BIN / "distcrond", "-c", file, "--check-config"],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, re.escape(str(file)) + r":5:1: ")
            self.assertIn("max_running", done.stderr)
            file.write_text("[exec\n")
            done = subprocess.run([one_node.BIN / "distcrond", "-c", file], check=False,
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, re.escape(str(file)) + r":1:\d+: ")


class CorruptTest(unittest.TestCase):
    """A spoilt page of a database is told, with the file and a way out; nothing is made up."""

    def check(self, file, spoil):
        with one_node.OneNode() as node:
            for number in range(40):
                node.ctl("add", f"job-{number:02}", "--manual", "--description", "d" * 2000,
                         "--command", "true")
            node.stop()
            # Everything is in the database itself after an orderly end; what is left of the
            # write-ahead log would hide the spoilt page.
            good = {name: (node.storage / name).read_bytes() for name in ("raft.db", "state.db")}
            pages = spoil(len(good[file]) // PAGE)
            for page in pages:
                with self.subTest(file=file, page=page):
                    self.put(node, good)
                    with (node.storage / file).open("r+b") as out:
                        out.seek(page * PAGE)
                        out.write(os.urandom(PAGE))
                    self.check_refused(node, file)
            self.put(node, good)
            node.start()
            self.assertEqual(len(node.items("list")), 40)

    def put(self, node, good):
        for name, content in good.items():
            (node.storage / name).write_bytes(content)
            for suffix in ("-wal", "-shm"):
                (node.storage / (name + suffix)).unlink(missing_ok=True)

    def check_refused(self, node, file):
        since = len(said(node))
        agent = node.launch()
        try:
            one_node.wait_until(lambda: agent.poll() is not None or " ready " in said(node, since),
                                60, "the agent says something")
            text = said(node, since)
            self.assertNotIn(" ready ", text)
            self.assertIn(agent.wait(timeout=10), (74, 78), text)
            self.assertIn(str(node.storage / file), text)
            self.assertRegex(text, r"restore|backup|move|delete")
        finally:
            if agent.poll() is None:
                agent.terminate()
                agent.wait()

    def test_spoilt_pages_of_the_log_are_found(self):
        self.check("raft.db", lambda pages: sorted({0, 1, pages // 2, pages - 1}))

    def test_spoilt_pages_of_the_state_are_found(self):
        self.check("state.db", lambda pages: sorted({0, 1, pages // 2}))


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main()

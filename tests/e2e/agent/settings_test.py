#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Settings of one agent do what distcrond.toml(5) says, and SIGHUP changes those that it can."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import one_node  # noqa: E402

STUBBORN = "trap '' TERM; echo up; while :; do sleep 0.1; done"


class FileNode(one_node.OneNode):
    """An agent that reads a file, which a test can change."""

    def __init__(self, text):
        super().__init__()
        self.file = self.folder / "distcrond.toml"
        self.file.write_text(text, encoding="utf-8")

    def launch(self, *arguments):
        return super().launch("-c", self.file, *arguments)

    def reload(self, text):
        """What the log says about it."""
        self.file.write_text(text, encoding="utf-8")
        since = len(self.log_path.read_text())
        self.agent.send_signal(signal.SIGHUP)
        one_node.wait_until(lambda: "reload" in self.log_path.read_text()[since:], 30, "a reload")
        time.sleep(0.2)
        return self.log_path.read_text()[since:]


class SettingsTest(unittest.TestCase):
    def test_output_beyond_keep_bytes_goes_and_its_rows_stay(self):
        with one_node.OneNode(sets=["output.keep.bytes=300KiB"]) as node:
            node.ctl("add", "talks", "--manual", "--command", "head -c 102400 /dev/zero")
            runs = []
            for _ in range(5):
                runs.append(node.run_job("talks"))
                node.wait(runs[-1])
            out = node.storage / "exec/out"
            one_node.wait_until(lambda: not (out / str(runs[1])).exists(), 30, "the oldest goes")
            self.assertEqual([(out / str(run)).exists() for run in runs],
                             [False, False, True, True, True])
            self.assertEqual(len(node.items("history", "talks")), 5)
            self.assertEqual(len(node.ctl("logs", runs[-1], "--raw", text=False).stdout), 102400)
            self.assertEqual(node.ctl("logs", runs[0], "--raw", text=False).stdout, b"")
            # Also what an earlier life of the agent has left.
            node.stop()
            node.sets[-1] = "output.keep.bytes=150KiB"
            node.start()
            one_node.wait_until(lambda: not (out / str(runs[3])).exists(), 30, "more goes")
            self.assertTrue((out / str(runs[4])).exists())

    def test_sighup_takes_what_it_can_and_names_what_it_cannot(self):
        with FileNode("[exec]\nmax_running = 9\n") as node:
            text = node.reload("[exec]\nmax_running = 1\n"
                               "[output]\nmax_bytes = '1KiB'\n[mesh]\nheartbeat = '150ms'\n")
            self.assertRegex(text, r"reloaded: exec.max_running, output.max_bytes")
            self.assertRegex(text, r"only by a restart: .*mesh.heartbeat")
            node.ctl("add", "plain", "--manual", "--command", "sleep 300")
            node.ctl("add", "talks", "--manual", "--command", "head -c 102400 /dev/zero")
            first = node.run_job("plain")
            node.wait_running(first)
            waits = node.run_job("talks")
            time.sleep(1)
            self.assertEqual(node.run_of(waits)["state"], "queued")  # max_running
            node.ctl("kill", first)
            node.wait(waits)
            kept = len(node.ctl("logs", waits, "--raw", text=False).stdout)
            self.assertLess(kept, 102400)
            self.assertIn("refused", node.reload("[exec]\nkill_graze = '1s'\n"))
            self.assertIsNone(node.agent.poll())

    def test_a_host_shutdown_is_named_as_the_reason(self):
        with one_node.OneNode() as node:
            node.ctl("add", "waits", "--manual", "--kill-grace", "1s", "--command", "sleep 300")
            run = node.run_job("waits")
            node.wait_running(run)
            subprocess.run([one_node.BIN / "distcron-exec", "--host-shutdown", "--run-dir",
                            node.storage / "run/exec"], check=True)
            item = node.wait(run)
            self.assertEqual((item["state"], item["reason"]), ("killed", "host_shutdown"))

    def test_a_second_sigterm_ends_an_agent_that_waits_for_its_jobs(self):
        agent = subprocess.Popen([one_node.BIN / "distcrond", "--ephemeral"], text=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        lines = [agent.stdout.readline().strip() for _ in range(2)]
        names = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        folder = pathlib.Path(names["DISTCRON_KEY"]).parents[1]
        try:
            def ctl(*words):
                return subprocess.run([one_node.BIN / "distcronctl", *words], check=True,
                                      env={**os.environ, **names}, capture_output=True, text=True)
            ctl("add", "stubborn", "--manual", "--command", STUBBORN)
            run = ctl("run", "stubborn", "-q").stdout.strip()
            one_node.wait_until(lambda: ctl("logs", run, "--raw").stdout == "up\n", 30, "it is up")
            # Without its executor the agent would wait for the job as long as it may.
            stopped = [pid for pid in one_node.processes(["distcron-exec", f"{folder}/"])]
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
            try:
                agent.terminate()
                time.sleep(1)
                self.assertIsNone(agent.poll())
                began = time.monotonic()
                agent.terminate()
                agent.wait(timeout=30)
                self.assertLess(time.monotonic() - began, 2)
            finally:
                for pid in stopped:
                    os.kill(pid, signal.SIGCONT)
        finally:
            agent.kill()
            agent.wait()
            agent.stdout.close()
            for pid in one_node.processes([f"{folder}/"]):
                os.kill(pid, signal.SIGKILL)
            for pid in one_node.processes([STUBBORN]):
                os.kill(pid, signal.SIGKILL)
            subprocess.run(["rm", "-rf", folder], check=True)


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main(verbosity=2)

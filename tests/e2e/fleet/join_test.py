#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host joins by its file under units as the package has them, without systemd itself."""

import json
import os
import pathlib
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402

UNIT = one_node.ROOT / "packaging/systemd/distcrond.service"


def unit_commands(key):
    """The commands of the agent's unit, without prefix and program."""
    found = re.findall(rf"^{key}=(\S+) ?(.*)$", UNIT.read_text(encoding="utf-8"), re.M)
    return [(program.startswith("+"), shlex.split(words)) for program, words in found]


class JoinTest(unittest.TestCase):
    """As the units have it: root makes the keys, an agent that is not root joins by its file."""

    def test_the_first_start_after_a_join_leaves_good_keys(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        with fleet.Fleet(1) as one:
            one.make_token(one[1])
            one.token.chmod(0o644)
            folder = pathlib.Path(tempfile.mkdtemp(prefix="distcron-join."))
            try:
                self.check_join(one, folder)
            finally:
                for pid in one_node.processes([f"{folder}/"]):
                    os.kill(pid, signal.SIGKILL)
                shutil.rmtree(folder)

    def test_a_host_that_waits_long_for_its_cluster_starts_jobs_when_it_has_joined(self):
        idle_exit_s = 10  # of an executor without agent, as the agent starts it
        with fleet.Fleet(1) as one:
            one.make_token(one[1])
            one[1].agent.send_signal(signal.SIGSTOP)
            late = fleet.Member(one.folder, 2, one.net, token=one.token)
            one.members[2] = late
            late.agent = late.launch()
            one_node.wait_until(lambda: all(late.executors()), 30, "its executor runs")
            before = late.executors()
            asked_at = time.monotonic()
            one_node.wait_until(
                lambda: not all(late.executors()) or time.monotonic() > asked_at + idle_exit_s + 2,
                60, "its executor has ended, or has not though it was idle")
            self.assertEqual(late.executors(), before)
            one[1].agent.send_signal(signal.SIGCONT)
            one.wait_for_members(2)
            one[1].ctl("add", "there", "--manual", "--on", "name=n2", "--command", "echo done")
            run = one[1].ctl("run", "there", "-o", "name").stdout.strip()
            one_node.wait_until(
                lambda: one[1].items("history", "there")[0]["state"] == "ok", 30, "the job ran")
            self.assertIn("done", one[1].ctl("logs", run).stdout)

    def check_join(self, one, folder):
        folder.chmod(0o755)
        nobody = pwd.getpwnam("nobody")
        storage, keys = folder / "s", folder / "keys"
        sets = [f"storage.dir={storage}", f"control.keys_dir={keys}", "node.name=late",
                f"mesh.listen=tcp://127.{one.net}.0.9:8471", f"mesh.join_token_file={one.token}"]
        words = [word for pair in sets for word in ("--set", pair)]
        as_nobody = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}",
                     "--clear-groups"]

        def run_all(key):
            for is_root, arguments in unit_commands(key):
                self.assertTrue(is_root)
                subprocess.run([one_node.BIN / "distcrond", *arguments, *words], check=True)

        run_all("ExecStartPre")
        for name in ("server.key", "mesh.key"):
            os.chown(keys / name, nobody.pw_uid, nobody.pw_gid)
        os.chown(keys, 0, nobody.pw_gid)
        for path in (storage, *storage.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        # What the agent's user may not read, as the unit's user distcron may not.
        for name in ("admin.key", "operator.key"):
            os.chown(keys / name, 0, 0)
            (keys / name).chmod(0o600)
        with (folder / "log").open("wb") as log:
            agent = subprocess.Popen([*as_nobody, one_node.BIN / "distcrond", *words], stdout=log,
                                     stderr=log)
        try:
            environment = {**os.environ, "DISTCRON_ENDPOINT": f"ipc://{storage}/run/control.sock",
                           "DISTCRON_KEY": str(keys / "admin.key")}
            one_node.wait_until(lambda: " ready " in (folder / "log").read_text() or agent.poll(),
                                60, "the agent is ready")
            self.assertIsNone(agent.poll(), (folder / "log").read_text())
            run_all("ExecStartPost")

            def asked():
                return subprocess.run([one_node.BIN / "distcronctl", "whoami", "-o", "json"],
                                      env=environment, capture_output=True, text=True, check=False)

            # The keys of the cluster are known there once its state has come.
            one_node.wait_until(lambda: asked().returncode == 0, 30, "admin.key is good")
            self.assertEqual(json.loads(asked().stdout)["name"], "admin@late")
            own = json.loads(one[1].ctl("cluster", "status", "-o", "json").stdout)
            self.assertIn("late", [node["name"] for node in own["nodes"]])
        finally:
            agent.terminate()
            agent.wait(timeout=60)


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main(verbosity=2)

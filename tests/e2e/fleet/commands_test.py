#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands that concern several hosts: runs on all of them, keys of a host, what --watch shows."""

import json
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import fleet  # noqa: E402
import one_node  # noqa: E402


class CommandsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fleet = cls.enterClassContext(fleet.Fleet(3))
        cls.fleet.wait_for_scheduler(1)

    def test_run_wait_waits_for_the_runs_on_all_hosts_and_the_worst_decides(self):
        node = self.fleet[1]
        gate = self.fleet.folder / "gate"
        node.ctl("add", "everywhere", "--manual", "--target", "all", "--command",
                 f"test $DISTCRON_NODE = n1 && exit 0; until [ -e {gate} ]; do sleep 0.1; done; "
                 "test $DISTCRON_NODE = n2 && exit 7; exit 0")
        waiting = subprocess.Popen(
            [one_node.BIN / "distcronctl", "run", "everywhere", "--wait", "--exit-code", "-o",
             "json"], env=node.environment, stdout=subprocess.PIPE, text=True)
        try:
            one_node.wait_until(
                lambda: sum(item["state"] == "ok" for item in node.items("history", "everywhere"))
                == 1, 30, "the run on n1 has ended")
            with self.assertRaises(subprocess.TimeoutExpired):
                waiting.wait(timeout=1)
            gate.touch()
            out, _ = waiting.communicate(timeout=60)
        finally:
            waiting.kill()
            waiting.wait()
        self.assertEqual(waiting.returncode, 7)
        runs = json.loads(out)["items"]
        self.assertEqual(sorted((run["node"], run["state"]) for run in runs),
                         [("n1", "ok"), ("n2", "failed"), ("n3", "ok")])
        node.ctl("set", "everywhere", "command=exit 0")
        self.assertEqual(node.ctl("run", "everywhere", "-w").returncode, 0)
        node.ctl("set", "everywhere", "command=test $DISTCRON_NODE != n3")
        self.assertEqual(node.ctl("run", "everywhere", "-w", check=False).returncode, 1)

    def test_whoami_says_both_roles_of_a_hosts_own_key(self):
        own = {"DISTCRON_KEY": str(self.fleet[2].storage / "keys/admin.key")}
        who = json.loads(self.fleet[2].ctl("whoami", "-o", "json", env=own).stdout)
        self.assertEqual((who["name"], who["role"], who["host"], who["host_role"]),
                         ("admin@n2", "viewer", "n2", "admin"))
        text = self.fleet[3].ctl("whoami", env=own).stdout
        self.assertIn("viewer", text)
        self.assertIn("admin of jobs that can run only on n2", text)
        plain = json.loads(self.fleet[2].ctl("whoami", "-o", "json").stdout)
        self.assertEqual(plain["role"], "admin")
        self.assertNotIn("host", plain)

    def test_node_show_says_how_a_member_is_reached(self):
        def link(of):
            return json.loads(self.fleet[1].ctl("node", "show", of, "-o", "json").stdout)["item"].get(
                "link", "")

        self.assertEqual(link("n1"), "")
        one_node.wait_until(lambda: link("n2") == "ok", 70, "nothing was late for a minute")
        self.assertIn("link        ok", self.fleet[1].ctl("node", "show", "n2").stdout)

    def test_a_dry_run_changes_nothing(self):
        asked = self.fleet[2]
        before = asked.status()
        for words in (("stepdown",), ("settings", "tz", "Europe/Berlin"), ("settings", "voters", "5")):
            with self.subTest(words=words):
                self.assertIn("nothing was stored",
                              asked.ctl("cluster", *words, "--dry-run").stderr)
        wrong = asked.ctl("cluster", "settings", "voters", "4", "--dry-run", check=False)
        self.assertEqual(wrong.returncode, 9, wrong.stderr)
        refused = asked.ctl("cluster", "force-quorum", "--confirm", before["name"], "--dry-run",
                            check=False)
        self.assertIn("there is nothing to force", refused.stderr)
        settings = asked.ctl("cluster", "settings", "-o", "json").stdout
        self.assertNotIn("Berlin", settings)
        after = asked.status()
        self.assertEqual((after["term"], after["scheduler"]), (before["term"], before["scheduler"]))

    def test_watch_shows_each_change_until_interrupted(self):
        node = self.fleet[1]
        for command, kind in ((["node", "list"], "NodeList"),
                              (["cluster", "status"], "ClusterStatus")):
            with self.subTest(command=command):
                self.check_watch(node, command, kind)

    def check_watch(self, node, command, kind):
        watcher = subprocess.Popen(
            [one_node.BIN / "distcronctl", *command, "--watch", "-o", "jsonl"],
            env=node.environment, stdout=subprocess.PIPE, text=True)
        try:
            def draining():
                shown = json.loads(watcher.stdout.readline())
                self.assertEqual(shown["kind"], kind)
                items = shown.get("items") or shown["nodes"]
                return next(item for item in items if item["name"] == "n3").get("draining", False)
            self.assertFalse(draining())
            node.ctl("node", "drain", "n3")
            one_node.wait_until(draining, 30, "the drain is shown")
            node.ctl("node", "undrain", "n3")
            one_node.wait_until(lambda: not draining(), 30, "its end is shown")
            watcher.send_signal(signal.SIGINT)
            self.assertEqual(watcher.wait(timeout=30), 130)
        finally:
            watcher.kill()
            watcher.wait()
            watcher.stdout.close()


class InitTest(unittest.TestCase):
    def test_who_is_not_eligible_leads_only_where_nobody_else_does(self):
        with fleet.Fleet(3) as three:
            three.wait_for_scheduler(1)
            for number in (2, 3):
                three[1].ctl("node", "set", f"n{number}", "eligible=false")
            three[1].kill()
            began = time.monotonic()
            heir = three.some_scheduler(60)
            print(f"{time.monotonic() - began:.1f} s without a scheduler", flush=True)
            heir.ctl("add", "job", "--manual", "--on", f"name=n{heir.number}", "--command", "true")
            heir.ctl("run", "job", "--wait", "--exit-code")
            three[1].start()
            three.wait_for_scheduler(1)

    def test_a_dry_run_of_init_stores_nothing(self):
        with fleet.Fleet(1) as one:
            done = one[1].ctl("cluster", "init", "--name", "other", "--single", "--advertise",
                              "cron1.example", "--dry-run")
            self.assertIn("nothing was stored", done.stderr)
            shown = one[1].status()
            self.assertEqual(shown["name"], "distcron")
            self.assertNotIn("cron1.example", one[1].ctl("node", "show", "n1").stdout)
            one[1].ctl("node", "join-token")  # not single

    def test_init_names_a_single_cluster_and_the_address_that_others_use(self):
        with fleet.Fleet(1) as some:
            one = some[1]
            one.ctl("cluster", "init", "--name", "prod", "--advertise", "cron1.example", "--single")
            self.assertEqual(one.status()["name"], "prod")

            def addresses():
                return json.loads(one.ctl("node", "show", "n1", "-o", "json").stdout)["node"][
                    "mesh_addresses"]

            one_node.wait_until(lambda: addresses() == ["tcp://cron1.example:8471"], 30,
                                "others are told the address")
            refused = one.ctl("node", "join-token", check=False)
            self.assertEqual(refused.returncode, 5, refused.stderr)
            self.assertIn("cluster settings single false", refused.stderr)
            bad = one.ctl("cluster", "init", "--advertise", "10.0.0.1:http", check=False)
            self.assertNotEqual(bad.returncode, 0)
            self.assertIn("10.0.0.1:http", bad.stderr)
            # To look changes nothing; both are kept over a restart.
            one.ctl("cluster", "init")
            one.stop()
            one.start()
            some.wait_for_scheduler(1)
            self.assertEqual(addresses(), ["tcp://cron1.example:8471"])
            self.assertEqual(one.ctl("node", "join-token", check=False).returncode, 5)
            one.ctl("cluster", "settings", "single", "false")
            one.ctl("cluster", "init", "--advertise", f"tcp://{one.address}:8471")
            some.make_token(one)
            some.add(2)
            some.wait_for_members(2)
            late = one.ctl("cluster", "settings", "single", "true", check=False)
            self.assertEqual(late.returncode, 5, late.stderr)
            self.assertEqual(one.ctl("cluster", "init", "--single", check=False).returncode, 5)


if __name__ == "__main__":
    one_node.skip_without_programs()
    unittest.main(verbosity=2)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""@reboot jobs: once per boot, told by the kernel's boot id, whatever happens to the agent."""

import unittest
import uuid

import sandbox
from sandbox import one_node

BOOT_ID = "/proc/sys/kernel/random/boot_id"
TABLE = "@reboot root echo $DISTCRON_JOB >> {witness}\n* * * * * nobody true\n"


class RebootTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host()

    def boot(self):
        """The next agent finds another boot."""
        self.host.replace(BOOT_ID, str(uuid.uuid4()) + "\n", 0o444)

    def test_a_reboot_job_runs_once_per_boot_and_not_at_a_restart_of_the_agent(self):
        witness = self.host.folder / "booted"
        table = self.host.folder / "table"
        table.write_text(TABLE.format(witness=witness), encoding="utf-8")

        def count():
            return len(witness.read_text(encoding="utf-8").splitlines()) if witness.exists() else 0

        self.boot()
        node = one_node.OneNode()
        with node:
            job = node.items("import", "crontab", table, "--system", "--dialect", "debian",
                             "--enable")[0]["job"]
            one_node.time.sleep(1)
            self.assertEqual(count(), 0, "a job that is made after the boot waits for the next")
            for restart in (node.stop, node.kill):
                restart()
                node.start()
                one_node.time.sleep(1.5)
                self.assertEqual(count(), 0, "the agent was started again in the same boot")
            for boots in (1, 2):
                node.stop()
                self.boot()
                node.start()
                one_node.wait_until(lambda: count() >= boots, 20, f"{boots} runs after boots")
                node.kill()
                node.start()
                one_node.time.sleep(1.5)
                self.assertEqual(count(), boots)
            rows = node.history(job)
            self.assertEqual([row["state"] for row in rows], ["ok", "ok"])
            node.ctl("disable", job)
            node.stop()
            self.boot()
            node.start()
            one_node.time.sleep(1.5)
            self.assertEqual(count(), 2, "the job is disabled")
        print("3 boots, 4 restarts in between, 2 runs")


if __name__ == "__main__":
    sandbox.main(needs_cron=False)

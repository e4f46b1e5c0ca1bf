#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One line in the system's log for each run, none for lines that cronie keeps quiet."""

import unittest

import sandbox
from sandbox import one_node


class SyslogTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = sandbox.Host()

    def lines(self, pattern, seconds=20):
        one_node.wait_until(lambda: self.host.log_lines(pattern), seconds, pattern)
        return self.host.log_lines(pattern)

    def test_each_run_has_one_line_with_its_outcome(self):
        with one_node.OneNode() as node:
            node.ctl("add", "good", "--schedule", "@yearly", "--user", "nobody", "--command", "true")
            node.ctl("add", "bad", "--schedule", "@yearly", "--command", "exit 9")
            node.ctl("add", "hit", "--schedule", "@yearly", "--command", "kill -9 $$")
            node.ctl("add", "none", "--schedule", "@yearly", "--cwd", "/no/such/folder",
                     "--command", "true")
            runs = {name: node.run_job(name) for name in ("good", "bad", "hit", "none")}
            for run in runs.values():
                node.wait(run)
            for name, words in (("good", "run ok job=good run={} attempt=1 user=nobody exit_code=0"),
                                ("bad", "run failed job=bad run={} attempt=1 user=root .*exit_code=9"),
                                ("hit", "run failed job=hit run={} attempt=1 user=root .*signal=9"),
                                ("none", "run missed job=none run={} attempt=1 user=root "
                                         "reason=setup_cwd")):
                lines = self.lines(words.format(runs[name]))
                self.assertRegex(lines[0], r"distcrond(\[\d+\])?: run ")
                self.assertEqual(len(self.host.log_lines(f"job={name} ")), 1)

    def test_output_is_copied_where_that_is_wanted(self):
        with one_node.OneNode(sets=["output.journal=true"]) as node:
            node.ctl("add", "talks", "--manual", "--command",
                     "echo first line; echo second >&2; printf 'no end'; exit 3")
            run = node.run_job("talks")
            node.wait(run)
            for text in ("first line", "second", "no end"):
                (line,) = self.lines(f"output job=talks run={run} attempt=1 stdout: {text}")
                self.assertRegex(line, r"distcrond(\[\d+\])?: output ")

    def test_a_line_that_cronie_keeps_quiet_has_none(self):
        table = self.host.folder / "table"
        table.write_text("-* * * * * root true\n* * * * * root :\n", encoding="utf-8")
        with one_node.OneNode() as node:
            quiet, loud = [item["job"] for item in
                           node.items("import", "crontab", table, "--system", "--dialect", "cronie",
                                      "--disabled")]
            node.wait(node.run_job(quiet))
            node.wait(node.run_job(loud))
            self.lines(f"run ok job={loud} ")
            self.assertEqual(self.host.log_lines(f"job={quiet} "), [])


if __name__ == "__main__":
    sandbox.main(needs_cron=False)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""distcronctl lint and import crontab --dry-run on the corpus: a line is refused exactly when its
daemon refuses it, and no lint about accepted text is an error."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import corpus_test

CTL = os.path.join(os.environ.get("DISTCRON_BIN", ""), "distcronctl")


def corpus_file(kind):
    """All corpus lines of one kind in one file; (rows, bytes)."""
    # A zone, shell or mail setting would colour the lines below it, so only entries are taken.
    rows = [row for row in corpus_test.read_corpus() if row[1] == kind and b"=" not in row[2]]
    return rows, b"".join(row[2] for row in rows)


class CliTest(unittest.TestCase):
    def run_ctl(self, command, kind, dialect, table, codes):
        with tempfile.NamedTemporaryFile(prefix="distcron-cli-") as source:
            source.write(table)
            source.flush()
            place = ["--system"] if kind == "s" else ["--user", "root"]
            done = subprocess.run([CTL, *command, source.name, *place, "--dialect", dialect,
                                   "-o", "json"], capture_output=True, check=False, timeout=60)
        self.assertIn(done.returncode, codes, done.stderr.decode())
        return json.loads(done.stdout)["items"]

    def test_lint_gives_an_error_for_each_refused_line_and_for_no_other(self):
        for column, dialect in enumerate(corpus_test.DIALECTS):
            for kind in "us":
                rows, table = corpus_file(kind)
                items = self.run_ctl(["lint"], kind, dialect, table, [1])
                wrong = {item["line"] for item in items if item["severity"] == "error"}
                expected = {at + 1 for at, row in enumerate(rows) if row[0][column] == "-"}
                unlike = {at: rows[at - 1][2] for at in wrong ^ expected}
                self.assertEqual(self.without_users(unlike, kind, dialect), {}, dialect)

    @staticmethod
    def without_users(unlike, kind, dialect):
        """This host's users decide for Debian's system tables; those lines are left out."""
        if kind == "s" and dialect == "debian":
            return {at: line for at, line in unlike.items() if b"www-data" not in line}
        return unlike

    def test_import_takes_what_the_daemon_takes_as_it_is(self):
        for column, dialect in enumerate(corpus_test.DIALECTS):
            rows, table = corpus_file("u")
            items = self.run_ctl(["import", "crontab", "--dry-run", "--as-is"], "u", dialect, table,
                                 [1])
            names = [item["job"] for item in items if "job" in item]
            self.assertEqual(len(names), len(set(names)))
            status = {item["line"]: item["status"] for item in items}
            for at, row in enumerate(rows):
                if row[2].lstrip().startswith(b"#") or not row[2].strip(b" \t\n"):
                    self.assertNotIn(at + 1, status)
                elif dialect == "supercronic" and not row[2].strip():
                    self.assertNotIn(at + 1, status)  # Go's line scanner drops the \r
                elif row[0][column] == "-":
                    self.assertEqual(status[at + 1], "refused", row)
                else:
                    self.assertIn(status[at + 1], ("imported", "ignored"), row)


if __name__ == "__main__":
    if not os.access(CTL, os.X_OK):
        print(f"skipped: no {CTL}")
        sys.exit(77)
    unittest.main()

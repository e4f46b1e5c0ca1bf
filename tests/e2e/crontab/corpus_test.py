#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The corpus of crontab lines: our verdicts, and those of the real Debian cron, against it."""

import os
import sys
import unittest

import daemon
import oracle

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "crontabs",
                      "corpus.txt")
USERS = ["root", "nobody", "daemon", "www-data"]
DIALECTS = ["debian", "cronie", "supercronic"]
LINES_MIN = 400


def read_corpus():
    """[(verdicts "+-+", kind, table bytes)]"""
    rows = []
    with open(CORPUS, encoding="utf-8") as source:
        for line in source.read().split("\n")[:-1]:
            if line.startswith("# ") or not line:
                continue
            text = line[6:]
            if text.endswith("\\r"):
                text = text[:-2] + "\r"
            rows.append((line[:3], line[4], (text + "\n").encode()))
    return rows


class CorpusTest(unittest.TestCase):
    def setUp(self):
        if not oracle.dump_program():
            self.skipTest("DISTCRON_CRONTAB_DUMP names no program")
        self.rows = read_corpus()

    def check(self, kind, column, verdicts, who):
        rows = [row for row in self.rows if row[1] == kind]
        self.assertEqual(len(rows), len(verdicts))
        wrong = [f"{who} {'takes' if got else 'refuses'} {row[2]!r}"
                 for row, got in zip(rows, verdicts) if (row[0][column] == "+") != got]
        self.assertEqual(wrong, [])
        return len(rows)

    def test_the_corpus_is_large_and_well_formed(self):
        self.assertGreaterEqual(len(self.rows), LINES_MIN)
        for verdicts, kind, _ in self.rows:
            self.assertRegex(verdicts, r"^[+-]{3}$")
            self.assertIn(kind, "us")

    def test_our_parser_gives_each_daemons_verdict(self):
        for column, dialect in enumerate(DIALECTS):
            for kind, name in (("u", "root"), ("s", "system")):
                tables = [row[2] for row in self.rows if row[1] == kind]
                verdicts = oracle.our_verdicts(tables, dialect, name, USERS)
                count = self.check(kind, column, verdicts, "our " + dialect)
                print(f"{dialect}, {name} tables: {count} lines as in the corpus")

    def test_debians_crontab_agrees_on_user_tables(self):
        if not oracle.debian_crontab():
            self.skipTest("Debian's crontab program is not installed")
        tables = [row[2] for row in self.rows if row[1] == "u"]
        verdicts = [accepted for accepted, _ in oracle.debian_verdicts(tables)]
        print(f"crontab -n: {self.check('u', 0, verdicts, 'crontab -n')} lines, 0 differences")

    def test_debians_daemon_agrees_on_system_tables(self):
        reason = daemon.missing()
        if reason:
            self.skipTest(reason)
        tables = [row[2] for row in self.rows if row[1] == "s"]
        result = daemon.run({f"line{i}": table for i, table in enumerate(tables)},
                            "2026-03-02 10:00:50")
        log = "\n".join(result["log"]) + "\n"
        verdicts = [f"(*system*line{i}) ERROR" not in log for i in range(len(tables))]
        print(f"cron: {self.check('s', 0, verdicts, 'cron')} system lines, 0 differences")


if __name__ == "__main__":
    if not oracle.dump_program():
        print("skipped: DISTCRON_CRONTAB_DUMP names no program")
        sys.exit(77)
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generated lines and files: do we take and refuse what Debian's crontab takes and refuses?

DISTCRON_SEED repeats a run, DISTCRON_FUZZ_LINES sets its size (3,000).
"""

import os
import random
import sys
import time
import unittest

import lines
import oracle

COUNT = int(os.environ.get("DISTCRON_FUZZ_LINES", "3000"))


def generate(rng, count):
    texts = []
    while len(texts) < count:
        text = lines.line(rng)
        if not lines.ends_in_lone_quote(text):
            texts.append(text)
    return texts


class FuzzTest(unittest.TestCase):
    def setUp(self):
        seed = int(os.environ.get("DISTCRON_SEED", str(time.time_ns() % 2**32)))
        print(f"seed={seed}")
        self.rng = random.Random(seed)

    def compare(self, tables):
        real = oracle.debian_verdicts(tables)
        ours = oracle.our_verdicts(tables, "debian", "root")
        wrong = [f"{table!r}: crontab says {message or accepted}, we {'take' if got else 'refuse'} it"
                 for table, (accepted, message), got in zip(tables, real, ours) if accepted != got]
        taken = sum(1 for accepted, _ in real if accepted)
        print(f"{len(tables)} tables, {taken} accepted, {len(wrong)} differences")
        self.assertEqual(wrong, [])
        # A generator that leaves the border between good and bad tests nothing.
        self.assertGreater(taken, len(tables) // 20)
        self.assertLess(taken, len(tables))

    def test_generated_lines_get_the_verdict_of_crontab(self):
        self.compare([(text + "\n").encode("latin-1") for text in generate(self.rng, COUNT)])

    def test_generated_files_get_the_verdict_of_crontab(self):
        tables = []
        for _ in range(COUNT // 10):
            texts = generate(self.rng, self.rng.randint(0, 4))
            table = "\n".join(texts) + self.rng.choice(["\n", "\n", "\n", "", "\n\n", "\n #x", "\n "])
            tables.append(table.encode("latin-1"))
        self.compare(tables)


if __name__ == "__main__":
    if not oracle.dump_program() or not oracle.debian_crontab():
        print("skipped: needs DISTCRON_CRONTAB_DUMP and Debian's package cron")
        sys.exit(77)
    unittest.main()

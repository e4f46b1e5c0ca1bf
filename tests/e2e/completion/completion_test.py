#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shells' completion files offer what `distcronctl __complete` prints, and run none of it.

A small script stands in for distcronctl, so that its answers and its arguments are known. Shells
that are not installed are left out, bash excepted.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = ROOT / "completions"
STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > "$ASKED"
printf 'backup-db\\tnightly dump\\nbackup-$(touch PWNED)\\todd\\nreport:daily\\tcolon\\n'
"""


class CompletionTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        program = self.folder / "distcronctl"
        program.write_text(STAND_IN)
        program.chmod(0o755)
        self.asked = self.folder / "asked"
        self.environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}",
                            "ASKED": str(self.asked)}

    def run_shell(self, *command):
        done = subprocess.run(command, env=self.environment, cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=20,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse((self.folder / "PWNED").exists(), "a job's name was run")
        return done.stdout.splitlines()

    def bash(self, *words):
        quoted = " ".join(f"'{word}'" for word in words)
        return self.run_shell("bash", "--norc", "-c", f"""
            compopt() {{ echo "compopt $*"; }}
            source '{FILES}/distcronctl.bash'
            COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _distcronctl
            if [ ${{#COMPREPLY[@]}} -gt 0 ]; then printf '%s\\n' "${{COMPREPLY[@]}}"; fi""")

    def test_bash_offers_the_names_that_begin_with_the_word(self):
        self.assertEqual(self.bash("distcronctl", "logs", "backup-d"), ["backup-db"])
        self.assertEqual(self.asked.read_text().split("\n")[:5],
                         ["__complete", "--shell=bash", "--", "logs", "backup-d"])

    def test_bash_offers_all_for_an_empty_word_and_expands_nothing(self):
        self.assertEqual(self.bash("distcronctl", ""),
                         ["backup-db", "backup-$(touch PWNED)", "report:daily"])

    def test_bash_falls_back_to_file_names(self):
        self.assertEqual(self.bash("distcronctl", "lint", "zzz"), ["compopt -o default"])

    @unittest.skipUnless(shutil.which("fish"), "no fish")
    def test_fish_offers_names_with_descriptions(self):
        lines = self.run_shell("fish", "--no-config", "-c",
                               f"source {FILES}/distcronctl.fish; complete -C 'distcronctl ba'")
        self.assertIn("backup-db\tnightly dump", lines)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh")
    def test_zsh_accepts_the_file(self):
        self.run_shell("zsh", "-n", str(FILES / "_distcronctl"))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()

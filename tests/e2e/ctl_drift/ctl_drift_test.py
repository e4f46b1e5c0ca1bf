#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Help and manual name what the program has: every command, flag, alias, exit code, job field.

`distcronctl __spec` prints the table of commands; needs no agent. Environment: DISTCRON_BIN.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
CTL = pathlib.Path(os.environ.get("DISTCRON_BIN", ROOT / "build/bin")) / "distcronctl"
PAGES = ["distcronctl.1", "distcronctl-job.1", "distcronctl-import.1", "distcronctl-access.1",
         "distcronctl-node.1", "distcronctl-cluster.1", "distcron-schedule.7", "distcron-jobs.5"]
EXIT_CODES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 70, 130]


def run(*words):
    return subprocess.run([CTL, *words], check=True, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE).stdout


def section_of(text, path):
    """The part of a page from the entry of a command to the next one at the same level."""
    begin = re.search(rf"^\.It Cm {re.escape(path)}(?= Oo| Ar|$)", text, re.M)
    if not begin:
        return None
    rest = text[begin.end():]
    end = re.search(r"^\.It Cm ", rest, re.M)
    return rest[:end.start()] if end else rest


def check_command(command, pages, findings):
    path = command["path"]
    sections = [section for section in (section_of(page, path) for page in pages) if section]
    if len(sections) != 1:
        findings.append(f"{path}: has {len(sections)} entries in the manual")
        return
    help_text = run(*path.split(), "--help")
    if help_text != run("help", *path.split()):
        findings.append(f"{path}: --help and help differ")
    if not 2 <= len(command["examples"]) <= 4:
        findings.append(f"{path}: has {len(command['examples'])} examples, not 2 to 4")
    for flag in command["flags"]:
        name = flag["name"]
        if f"Fl \\-{name}" not in sections[0]:
            findings.append(f"{path}: the manual lacks --{name}")
        if "hidden" not in flag and f"--{name}" not in help_text:
            findings.append(f"{path}: help lacks --{name}")


def check_fields(spec, pages, findings):
    page = pages[PAGES.index("distcron-jobs.5")]
    named = set()
    for row in re.findall(r"^\.It Ic (.*)$", page, re.M):
        named.update(word for word in row.split() if word != ",")
    for field in spec["job_fields"]:
        if field not in named:
            findings.append(f"distcron-jobs.5 lacks the field {field}")
    for field in named - set(spec["job_fields"]):
        findings.append(f"distcron-jobs.5 names {field}, which is no field")
    by_flag = {flag.get("field") for command in spec["commands"] if command["path"] == "add"
               for flag in command["flags"]}
    without = {"name", "argv", "origin.source", "origin.line", "origin.host", "managed"}
    for field in set(spec["job_fields"]) - by_flag - without:
        findings.append(f"add has no flag for the field {field}")


def main():
    if not CTL.exists():
        print(f"SKIP: no program {CTL}")
        return 77
    spec = json.loads(run("__spec"))
    pages = [(ROOT / "man" / name).read_text(encoding="utf-8") for name in PAGES]
    findings = []
    for command in spec["commands"]:
        check_command(command, pages, findings)
    main_page = pages[0]
    full_help = run("help")
    for flag in spec["global_flags"]:
        if f"Fl \\-{flag['name']}" not in main_page or f"--{flag['name']}" not in full_help:
            findings.append(f"manual or help lacks the global flag --{flag['name']}")
    for alias in spec["aliases"]:
        if f".Cm {alias}\n" not in main_page or f"\n  {alias} " not in full_help:
            findings.append(f"manual or help lacks the alias {alias}")
    topic = run("help", "exit-codes")
    for code in EXIT_CODES:
        if f".It {code}\n" not in main_page or not re.search(rf"^  {code} ", topic, re.M):
            findings.append(f"manual or help lacks the exit code {code}")
    for shell, name in (("bash", "distcronctl.bash"), ("zsh", "_distcronctl"),
                        ("fish", "distcronctl.fish")):
        if run("completion", shell) != (ROOT / "completions" / name).read_text(encoding="utf-8"):
            findings.append(f"completion {shell} is not completions/{name}")
    check_fields(spec, pages, findings)
    for finding in findings:
        print(finding)
    print(f"{len(spec['commands'])} commands, {len(spec['job_fields'])} job fields, "
          f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

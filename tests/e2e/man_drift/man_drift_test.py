#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pages of the daemon, the executor, the policy and the concepts name what the programs have.

Every setting with its default, every option, every state, reason and trigger, every policy key;
mandoc finds nothing in any page, all references lead to a page, packaging/distcrond.toml is what the
agent prints, and the tests behind the guarantees exist. Starts no agent. Environment: DISTCRON_BIN.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("DISTCRON_BIN", ROOT / "build/bin"))
# References to pages of other packages.
FOREIGN = {"cron 8", "crontab 5", "sqlite3 1", "sudo 8"}


def run(program, *words):
    return subprocess.run([BIN / program, *words], check=True, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout


def page(name):
    return (ROOT / "man" / name).read_text(encoding="utf-8")


def settings(text):
    """Key and default of each line of --print-defaults."""
    section, found = "", {}
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif match := re.match(r"#([a-z][\w.]*) = (.*?) *# ", line):
            found[f"{section}.{match[1]}"] = match[2].strip()
    return found


def check_settings(findings):
    printed = run("distcrond", "--print-defaults")
    keys = settings(printed)
    entries = dict(re.findall(r"^\.It Ic (\S+)\n(.*?)(?=^\.(?:It|El|Ss|Sh))",
                              page("distcrond.toml.5"), re.M | re.S))
    for key in sorted(set(keys) ^ set(entries)):
        findings.append(f"distcrond.toml.5: {key} stands in only one of page and program")
    for key in sorted(set(keys) & set(entries)):
        default = keys[key].strip('[]"') or "empty"
        flat = re.sub(r"\n\.\w\w ", " ", entries[key])
        said = flat.partition("Default:")[2]
        # An empty text, a table and what the host decides have words of their own.
        if key not in {"node.name", "node.id", "node.labels"} and default not in said:
            findings.append(f"distcrond.toml.5: {key}: the default {default} is not said")
    if (ROOT / "packaging/distcrond.toml").read_text(encoding="utf-8") != printed:
        findings.append("packaging/distcrond.toml is not what distcrond --print-defaults prints")
    return len(keys)


def check_options(program, findings):
    text = page(f"{program}.8")
    found = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", run(program, "--help")))
    entries = set(re.findall(r"\\-([a-z][a-z-]+)",
                             "\n".join(re.findall(r"^\.It Fl .*$", text, re.M))))
    for option in sorted(found - entries):
        findings.append(f"{program}.8 lacks --{option}")
    for option in sorted(entries - found - {"help"}):
        findings.append(f"{program}.8 names --{option}, which is no option")
    return len(found)


def names_of(enum, source):
    body = re.search(rf"struct EnumNames<{enum}> {{(.*?)}};\n}};", source, re.S)[1]
    return [word for word in re.findall(r'"(\w*)"', body) if word]


def check_words(findings):
    source = (ROOT / "lib/model/enums.h").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", page("distcron.7")))
    count = 0
    for enum in ("RunState", "Reason", "Trigger", "Role", "Guarantee"):
        names = names_of(enum, source)
        count += len(names)
        for name in names:
            if not set(re.findall(r"\w+", name.replace("-", " "))) <= words:
                findings.append(f"distcron.7 lacks the word {name} of {enum}")
    steps = re.search(r"kStepNames = {(.*?)};",
                      (ROOT / "lib/process/end_record.cc").read_text(encoding="utf-8"), re.S)[1]
    for step in re.findall(r'"(\w+)"', steps):
        if step not in words and step != "none":
            findings.append(f"distcron.7 lacks the step {step} of setup_STEP")
    return count


def check_policy(findings):
    source = (ROOT / "lib/process/host_policy.cc").read_text(encoding="utf-8")
    keys = set(re.findall(r'key == "(\w+)"', source))
    entries = set(re.findall(r"^\.It Ic (\w+)$", page("distcron-policy.5"), re.M))
    for key in sorted(keys ^ entries):
        findings.append(f"distcron-policy.5: {key} stands in only one of page and program")
    return len(keys)


def check_pages(findings):
    pages = sorted((ROOT / "man").glob("*.[1-8]"))
    own = {f"{path.stem} {path.suffix[1:]}" for path in pages}
    for path in pages:
        lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        findings += lint.stdout.splitlines()
        text = path.read_text(encoding="utf-8")
        for name, section in re.findall(r"(?:^\.| )Xr (\S+) (\d)", text, re.M):
            if f"{name} {section}" not in own | FOREIGN:
                findings.append(f"{path.name}: there is no page {name}({section})")
        title = re.search(r"^\.Dt (\S+) (\d)$", text, re.M)
        if not title or f"{title[1].lower()} {title[2]}" != f"{path.stem} {path.suffix[1:]}":
            findings.append(f"{path.name}: .Dt is not its name")
    return len(pages)


def check_guarantees(findings):
    """Each test that docs/explanation/guarantees.md names in italics stands in the file before it."""
    text = (ROOT / "docs/explanation/guarantees.md").read_text(encoding="utf-8")
    names, source = 0, ""
    for path, name in re.findall(r"`(tests/[\w./]+)`|(?<!\*)\*([^*]+)\*(?!\*)", text):
        if path:
            source = (ROOT / path).read_text(encoding="utf-8")
            continue
        flat, names = " ".join(name.split()), names + 1
        if f'"{flat}"' not in re.sub(r'"\s+"', "", source) and \
                f"def test_{flat.replace(' ', '_')}(" not in source:
            findings.append(f"guarantees.md: there is no test '{flat}'")
    return names


def main():
    if not shutil.which("mandoc"):
        print("SKIP: mandoc is not installed")
        return 77
    for program in ("distcrond", "distcron-exec"):
        if not (BIN / program).exists():
            print(f"SKIP: no program {BIN / program}")
            return 77
    findings = []
    keys = check_settings(findings)
    options = check_options("distcrond", findings) + check_options("distcron-exec", findings)
    words = check_words(findings)
    policy = check_policy(findings)
    pages = check_pages(findings)
    tests = check_guarantees(findings)
    for finding in findings:
        print(finding)
    print(f"{pages} pages, {keys} settings, {options} options, {words} words, {policy} policy keys, "
          f"{tests} named tests, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

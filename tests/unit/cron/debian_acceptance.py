#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares which crontab lines Debian's `crontab -n` accepts with ours; run by hand.

usage: debian_acceptance.py READER [COUNT] [SEED]
READER is build/.../tests/cron_accept: it prints "1 ..." (accepted) or "0 ..." per line of stdin.
"""
import os
import random
import subprocess
import sys
import tempfile

ATOMS = ["*", "0", "1", "5", "07", "09", "7", "8", "12", "23", "24", "31", "32", "59", "60", "64",
         "100", "mon", "SUN", "sat", "jan", "DEC", "monday", "L", "W", "LW", "H", "?", "~", "",
         "x", "4294967296", "99999999999999999999", "-1", "é"]
JOINS = ["-", "/", ",", "~", "#", ";", ".", "", "-", "/", ",", "*"]


def field(rng):
    if rng.random() < 0.6:
        return "*"
    text = rng.choice(ATOMS)
    while rng.random() < 0.55:
        text += rng.choice(JOINS) + rng.choice(ATOMS)
    return text.replace(" ", "")


def line(rng):
    if rng.random() < 0.05:
        return rng.choice(["@daily", "@reboot", "@midnight", "@Hourly", "@", "@every", "@daily x"]) + \
            rng.choice(["", " ", " cmd", "\tcmd"])
    fields = [field(rng) for _ in range(5)]
    blank = rng.choice([" ", " ", " ", "\t", "  "])
    return blank.join(fields) + rng.choice([" cmd", " cmd", " cmd", "", " ", " %"])


def debian_accepts(text, path):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    done = subprocess.run(["crontab", "-n", path], capture_output=True, check=False)
    return done.returncode == 0


def main():
    reader = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    print(f"seed={seed}")
    rng = random.Random(seed)
    lines = [line(rng) for _ in range(count)]
    # A line that is empty, a comment or a setting is not an entry.
    lines = [text for text in lines if text.strip() and text.lstrip()[0] != "#" and "=" not in text]
    lines = [text.lstrip() for text in lines]
    ours = subprocess.run([reader, "debian"], input="\n".join(lines) + "\n", text=True,
                          capture_output=True, check=True).stdout.splitlines()
    bad = accepted = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tab")
        for text, answer in zip(lines, ours):
            theirs = debian_accepts(text, path)
            accepted += theirs
            if theirs != (answer[0] == "1"):
                bad += 1
                print(f"differs: {text!r}: debian {theirs}, ours {answer}")
    print(f"{len(lines)} lines, {accepted} accepted by Debian, {bad} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

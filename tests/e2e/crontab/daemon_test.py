#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real Debian cron daemon against our reading: which files it ignores, which lines fire in a
minute, and what it starts: user, command, standard input, environment.

DISTCRON_SEED repeats the choice of minutes, DISTCRON_MINUTES sets their number (24).
"""

import datetime
import os
import random
import sys
import time
import unittest

import corpus_test
import daemon
import oracle

MINUTES = int(os.environ.get("DISTCRON_MINUTES", "24"))
GOOD = b"* * * * * root : x\n"

FILES = {
    "good": GOOD,
    "empty": b"",
    "only-comment": b"# x",
    "blanks": b"\n\n \t\n",
    "env-only": b"A=b\n",
    "comment-at-end": GOOD + b"# no newline",
    "blank-at-end": GOOD + b"  \t",
    "no-newline": GOOD + GOOD[:-1],
    "env-no-newline": GOOD + b"A=b",
    "bad-minute": GOOD + b"61 * * * * root x\n" + GOOD,
    "bad-user": GOOD + b"* * * * * no-such-user-here x\n",
    "no-user": b"* * * * * x\n",
    "no-command": b"* * * * * root \n",
    "empty-value": b"A=\n" + GOOD,
    "trailing-quote": b"A=\"b\" c\n" + GOOD,
    "crlf": b"A=b\r\n* * * * * root : x\r\n",
    "crlf-blank": b"\r\n" + GOOD,
    "junk": b"5;3 1st * * * root x\n",
    "junk-hour": b"5;3 1;2 * * * root x\n",
    "command-998": b"0 0 1 1 * root " + b"x" * 998 + b"\n",
    "command-999": b"0 0 1 1 * root " + b"x" * 999 + b"\n",
    "env-long": b"A=" + b"x" * 5000 + b"\n" + GOOD,
    "env-long-quoted": b"A=\"" + b"x" * 5000 + b"\"\n" + GOOD,
    "lines-10003": b"#\n" * 10002 + GOOD,
    "lines-10004": b"#\n" * 10003 + GOOD,
    "lines-10004-comment": GOOD + b"#\n" * 10003,
    "lines-10005-blank": GOOD + b"\n" * 10004,
    "macro": b"@daily root x\n",
    "macro-bad": b"@Daily root x\n",
    "reboot": b"@reboot root : rebooted\n",
    "six-stars": b"* * * * * * root x\n",
    "dash": b"-* * * * * root x\n",
    "latin1": b"* * * * * root : \xe9\xff\n",
}
USERS = ["root", "nobody", "daemon", "www-data"]

COMMANDS = rb"""
SHELL={{RECORDER}}
* * * * * root a
* * * * * root   b  c
* * * * * nobody cat%one%two
* * * * * daemon date +\%F
* * * * * root echo a\\b \n \"
* * * * * root cat%a\%b\\c%%d
* * * * * root cat%
* * * * * root cat%%
* * * * * root x\
* * * * * root \\%x
A="b c"
B='"d"'
PATH=/bin
* * * * * root e # not a comment
HOME=/
LOGNAME=liar
USER=liar
A=
"""


def ours(table, kind="system"):
    return oracle.our_tables([table], "debian", kind, USERS)[0]


def is_due(line, at):
    """Whether our masks match a minute, by the day rule in our words."""
    if at.minute not in line["minutes"] or at.hour not in line["hours"]:
        return False
    if at.month not in line["months"]:
        return False
    day = at.day in line["days"]
    weekday = at.isoweekday() % 7 in line["weekdays"]
    return (day or weekday) if line["either_day"] else (day and weekday)


class DaemonTest(unittest.TestCase):
    maxDiff = None

    def test_cron_ignores_the_files_that_we_say_it_ignores(self):
        result = daemon.run(FILES, "2026-03-02 10:00:50")
        log = "\n".join(result["log"]) + "\n"
        for name, table in FILES.items():
            with self.subTest(name=name):
                real = f"(*system*{name}) ERROR" in log
                self.assertEqual(ours(table)["file"]["ignored"], real)
        started = daemon.commands(result["log"])
        self.assertIn(("root", ": rebooted"), started)
        print(f"{len(FILES)} files, ignored ones as we say")

    def test_cron_starts_what_we_import(self):
        table = COMMANDS.lstrip(b"\n").replace(b"A=\n", b"A=\"\"\n")
        result = daemon.run({"commands": table}, "2026-03-02 10:00:50")
        expected = []
        for line in ours(table)["lines"]:
            if line["kind"] != "entry":
                self.assertNotEqual(line["kind"], "refused", line)
                continue
            env = {name: value for name, value in line["env"].items() if name != "LOGNAME"}
            expected.append((line["user"], line["command"], line["stdin"], sorted(env.items())))
        real = []
        names = {name for entry in expected for name, _ in entry[3]}
        for record in result["records"]:
            self.assertEqual(record["env"]["LOGNAME"], record["user"])
            env = {name: value for name, value in record["env"].items() if name in names}
            env["SHELL"] = "{{RECORDER}}"
            real.append((record["user"], record["command"], record["stdin"], env))
        self.assertEqual(len(real), len(expected))
        for user, command, stdin, env in expected:
            match = [record for record in real if record[:3] == (user, command, stdin)]
            self.assertEqual(len(match), 1, (user, command, stdin, real))
            for name, value in env:
                self.assertEqual(match[0][3].get(name), value, name)
        print(f"{len(real)} commands with user, input and environment as we import them")

    def test_lines_fire_in_the_minutes_of_our_masks(self):
        seed = int(os.environ.get("DISTCRON_SEED", str(time.time_ns() % 2**32)))
        print(f"seed={seed}")
        rng = random.Random(seed)
        schedules = {}
        for verdicts, kind, table in corpus_test.read_corpus():
            if kind != "u" or verdicts[0] != "+":
                continue
            parsed = ours(table, "user")["lines"]
            if len(parsed) == 1 and parsed[0]["kind"] == "entry" and not parsed[0]["reboot"]:
                schedules[f"S{len(schedules)}"] = parsed[0]
        table = "".join(f"{line['schedule']} root : {name}\n"
                        for name, line in schedules.items()).encode("utf-8")
        self.assertGreater(len(schedules), 150)
        fired = 0
        for index in range(MINUTES):
            at = datetime.datetime(2026, 1, 1) + datetime.timedelta(minutes=rng.randrange(3 * 525600))
            if index % 2 == 0:  # where lines are likely to fire
                at = at.replace(minute=rng.choice([0, 5, 10, 30, 35]), hour=rng.choice([0, 0, 12]))
            if index % 4 == 0:
                at = at.replace(day=rng.choice([1, 8, 15]))
            start = at - datetime.timedelta(seconds=6)
            result = daemon.run({"schedules": table}, start.strftime("%Y-%m-%d %H:%M:%S"))
            real = {command[2:] for _, command in daemon.commands(result["log"])
                    if command.startswith(": S")}
            expected = {name for name, line in schedules.items() if is_due(line, at)}
            wrong = {name: schedules[name]["schedule"] for name in real ^ expected}
            self.assertEqual(wrong, {}, at)
            fired += len(real)
        print(f"{len(schedules)} schedules, {MINUTES} minutes, {fired} starts as our masks say")

    def test_names_and_modes_are_read_as_we_say(self):
        names = ["plain", "With_Under-9", "a.b", "a~", "#a", ".a", "a-b.dpkg-dist", "a b", "a.rpmnew"]
        modes = {"m644": 0o644, "m664": 0o664, "m646": 0o646, "m600": 0o600, "m755": 0o755,
                 "m444": 0o444, "owned": [0o644, 1]}
        files = {name: GOOD for name in names + list(modes)}
        links = {"link": "/etc/cron.d/plain", "dangling": "/nowhere"}
        result = daemon.run(files, "2026-03-02 10:00:50", modes=modes, links=links)
        log = "\n".join(result["log"])
        started = [command for _, command in daemon.commands(result["log"]) if command == ": x"]
        # plain, its link, With_Under-9 and the good modes
        good_modes = [name for name in modes if f"(*system*{name}) " not in log]
        self.assertEqual(sorted(good_modes), ["m444", "m600", "m644", "m755"])
        self.assertEqual(len(started), 3 + len(good_modes))


if __name__ == "__main__":
    REASON = daemon.missing() or (None if oracle.dump_program() else "no crontab_dump")
    if REASON:
        print("skipped: " + REASON)
        sys.exit(77)
    unittest.main()

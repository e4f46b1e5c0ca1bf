# SPDX-License-Identifier: Apache-2.0
"""Random crontab lines near the border between good and bad."""

GOOD_FIELDS = [
    ["*", "0", "5", "*/5", "*/15", "0,30", "1-5", "1-59/2", "00", "59", "08"],
    ["*", "0", "3", "*/2", "0,12", "8-18", "23", "09"],
    ["*", "1", "15", "*/2", "1-7", "31", "1,15"],
    ["*", "1", "12", "jan", "JAN-MAR", "*/3", "feb,aug", "1-6/2"],
    ["*", "0", "7", "mon", "Mon-Fri", "1-5", "*/2", "sat,sun", "5-7"],
]
HARD_FIELDS = [
    "*/0", "*/60", "*/100", "60", "24", "32", "13", "8", "-1", "1-", "-", "1,,2", "1,", ",1", "5-1",
    "50-10", "1/20", "5-64/30", "1-5-7", "5;3", "*5", "*,x", "*,1", "1,*", "5~10", "~", "~10", "5~",
    "10~5", "5~50/5", "5#3", "L", "15W", "LW", "5L", "?", "H", "sat-sun", "6-0", "fri-7", "monday",
    "janu", "m", "0x5", "1.5", "1:2", "*-5", "*/", "/5", "**", "*/5/5", "1-5/0", "1-5/x", "1--5",
    "999999999999", "4294967301", "0000005", "jan", "sun", "mon-", "mon/2", "*/mon", "1-mon", "\"5\"",
    "'*'", "\\*", "%", "5%", "@5", "=5", "5=", "*=", "1-5,7-9/2,11", "0-0", "*,*", "1-31/31", "1-31/40",
]
MACROS = ["@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight",
          "@hourly", "@Hourly", "@every", "@every_minute", "@dailyx", "@", "@@daily", "@ daily"]
COMMANDS = ["x", "echo a", "", "*", "* x", "/bin/true # c", "date +\\%F", "cat%a%b", "-n x", "-x",
            "FOO=bar x", "root x", "x=\"y\"", "a\\\\b", "=", "@daily x", "#", "'", "%"]
NAMES = ["FOO", "PATH", "MAILTO", "'F O'", "\"X\"", "F O", "", "1", "*", "@daily", "\"", "a.b", "#x",
         "A-B", "x\"y", "-"]
VALUES = ["bar", "", "\"\"", "''", "\"a b\"", "'a b'", "\"a\" b", "'a'b", "a\"b\"", "\"'x'\"", "a # c",
          "$X", " ", "a=b", "=", "\"a=b\"", "\"a'b\"", "'", "a b c", "\ta\t", "\"  \"", "#"]
BLANKS = [" ", " ", " ", " ", "\t", "  ", " \t "]
BYTES = "0123456789*,-/~#%@= \t\"'\\abLW?;x\r\x0b\x7f\xe9"


def field(random, index):
    if random.random() < 0.8:
        return random.choice(GOOD_FIELDS[index])
    if random.random() < 0.7:
        return random.choice(HARD_FIELDS)
    return "".join(random.choice("0123456789*,-/~;") for _ in range(random.randint(1, 6)))


def entry(random):
    kind = random.random()
    if kind < 0.1:
        return random.choice(MACROS) + random.choice(BLANKS + [""]) + random.choice(COMMANDS)
    count = random.choices([5, 4, 6, 3, 1], [90, 3, 3, 2, 2])[0]
    text = random.choice(["", "", "", " ", "\t", "-"])
    for index in range(count):
        text += field(random, min(index, 4)) + random.choice(BLANKS)
    return text + random.choice(COMMANDS)


def assignment(random):
    blank = lambda: random.choice(["", "", "", " ", "\t"])
    return (blank() + random.choice(NAMES) + blank() + "=" + blank() + random.choice(VALUES) + blank())


def mutated(random, text):
    chars = list(text)
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(chars))
        action = random.random()
        if action < 0.4:
            chars.insert(at, random.choice(BYTES))
        elif chars and action < 0.7:
            del chars[min(at, len(chars) - 1)]
        elif chars:
            chars[min(at, len(chars) - 1)] = random.choice(BYTES)
    return "".join(chars)


def line(random):
    """One line without newline, Latin-1."""
    text = assignment(random) if random.random() < 0.3 else entry(random)
    if random.random() < 0.3:
        text = mutated(random, text)
    return text.replace("\n", "")


def ends_in_lone_quote(text):
    """Debian's and cronie's readers run past the end of such a line into what an earlier line left
    in the buffer, so their verdict depends on chance (documented difference)."""
    value = text.rstrip(" \t\r\x0b\x0c")
    at = value.find("=")
    return bool(value) and value[-1] in "'\"" and (
        value[at + 1:].strip() in ("'", '"') or value.strip() in ("'", '"'))

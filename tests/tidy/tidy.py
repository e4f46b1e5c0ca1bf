#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of STYLE.md and ARCHITECTURE.md that no compiler checks. Reads files, writes nothing.

usage: tests/tidy/tidy.py [ROOT]
Prints one line per finding, `path:line: rule: text`, and ends with 1 if there is any.
"""

import fnmatch
import pathlib
import re
import sys

sys.dont_write_bytecode = True

# Layers: a module may name in DEPS only modules of lower layers, and a pure one only those here.
LAYERS = {
    "base": 0,
    "cron": 1, "consensus": 1, "metrics": 1,
    "model": 2,
    "planner": 3, "supervise": 3, "wire": 3, "config": 3,
    "mesh": 4, "store": 4, "process": 4, "http": 4, "notify": 4,
    "agent": 5, "ctl": 5,
}
NARROW = {
    "base": set(),
    "cron": {"base"},
    "consensus": {"base"},
    "metrics": {"base"},
    "model": {"base", "cron"},
    "config": {"base", "cron", "model"},
    "planner": {"base", "cron", "model"},
    "supervise": {"base", "model"},
    "wire": {"base", "cron", "model", "consensus"},
    "process": {"base", "supervise"},
}
PURE = {"base", "cron", "model", "config", "consensus", "planner", "supervise", "wire", "metrics"}
PURE_BANNED_HEADERS = re.compile(
    r"^(thread|mutex|shared_mutex|condition_variable|future|random|fstream|filesystem|"
    r"unistd\.h|fcntl\.h|poll\.h|signal\.h|sqlite3\.h|zmq\.hpp?|sys/.*|spdlog/.*)$")
# Two small wrappers, and the two files that read the system's zone data (once per zone).
PURE_HEADER_EXCEPTIONS = {"lib/base/unique_fd.h", "lib/base/mutex.h",
                          "lib/cron/host_zone.cc", "lib/cron/zone_load.cc"}
# The stub and the executor run as root: their library takes nothing from third parties.
PROCESS_BANNED_HEADERS = re.compile(
    r"^(zmq.*|sqlite3\.h|msgpack.*|spdlog/.*|fmt/.*|nlohmann/.*|toml\+\+/.*|CLI/.*|sodium.*)$")
BANNED_MODULE_NAMES = {"util", "utils", "common", "helpers", "core", "manager", "misc"}

# Where the clocks may be read; everybody else is handed the time. Executor and stub (process) are
# the world's side. A socket's own timeout may use the steady clock in any module that does I/O.
CLOCK_FILES = re.compile(
    r"^(lib/(agent|ctl)/\w*clock\w*\.(cc|h)|lib/agent/loop\.cc|lib/process/|"
    r"cmd/distcrond/run_\w+\.cc|tests/)")
STEADY_MODULES = re.compile(r"^(cmd|lib/(mesh|store|http|notify|agent|ctl))/")
STEADY_NOW = re.compile(r"\bsteady_clock::now\s*\(\s*\)")
BANNED_CALLS = [
    (re.compile(r"(?<![\w.>])(?:std::|::)?system\s*\("), "system() starts a shell"),
    (re.compile(r"(?<![\w.>:])(?<!void )(?:std::|::)?u?sleep\s*\(|\bsleep_(?:for|until)\s*\("),
     "wait on a condition or timer"),
    (re.compile(r"\blocaltime\s*\("), "localtime() is not thread-safe and reads TZ"),
    (re.compile(r"(?<![\w.>:])(?:std::|::)?s?rand\s*\("), "random numbers come from base/rng.h"),
    (re.compile(r"\bstd::(?:regex|basic_regex)\b"), "std::regex recurses on input"),
    (re.compile(r"\.detach\s*\(\s*\)"), "no thread is detached"),
    (re.compile(r"\bZMQ_HEARTBEAT_\w+"), "ZMQ_HEARTBEAT_* can abort the process"),
    (re.compile(r"\busing\s+namespace\s+std\s*;"), "name what is used"),
    (re.compile(
        r"(?<![\w.>])(?:std::|::)?(?:strcpy|strcat|v?sprintf|gets|tmpnam|mktemp|popen)\s*\("),
     "unbounded or racy libc call"),
]
CLOCK_CALLS = re.compile(
    r"_clock::now\s*\(|\b(?:clock_gettime|gettimeofday)\s*\(|"
    r"(?<![\w.>:])(?:std::|::)?time\s*\(\s*(?:nullptr|NULL|0|&\w+)?\s*\)")
PURE_NOW = re.compile(r"(?<!\w)now\s*\(\s*\)")

CODE = {".cc", ".h", ".py", ".sh", ".cmake", ".js", ".mjs", ".css", ".S", ".sql"}
TEXT = CODE | {".md", ".txt", ".toml", ".yaml", ".yml", ".json", ".html", ".service", ".conf",
               ".supp", ".crontab", ".bash", ".zsh", ".fish", ".in", ".spec"} | {
                   f".{n}" for n in range(1, 9)}
MARK = re.compile(r"^(<{7}|>{7}|\|{7})( |$)")
UNFINISHED = re.compile(r"\b(FIX" + r"ME|TO" + r"DO|XX" + r"X)\b")
# Paths of one workplace have no meaning for a reader of the tree.
WORKPLACE = re.compile(r"(?<![\w.-])/(?:wo" + r"rk|fa" + r"rm)/")
SKIP_DIRS = {"build", ".git", "__pycache__", "corpus", "node_modules", ".cache"}

TOP = r"(?:lib|cmd|tests|docs|packaging|cmake|man|completions|\.ci)"
DOC_PATH = re.compile(r"`((?:" + TOP + r"/)[^`\s]*)`")
DOC_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)")
COMMENT_PATH = re.compile(r"(?<![\w/.-])(" + TOP + r"/[\w./-]*\w\.(?:cc|h|md|py|sh|txt|cmake))\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
MODULE = re.compile(r"distcron_module\s*\(\s*(\w+)([^)]*)\)", re.S)


class Tidy:
    """Findings of one tree."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.findings = []
        self.deps = {}

    def say(self, path, line, rule, text):
        self.findings.append(f"{path}:{line}: {rule}: {text}")

    def files(self):
        pending = [self.root]
        while pending:
            for entry in sorted(pending.pop().iterdir()):
                if entry.is_symlink():
                    continue
                if entry.is_dir():
                    if entry.name not in SKIP_DIRS:
                        pending.append(entry)
                elif self.is_text(entry):
                    yield entry

    @staticmethod
    def is_text(path):
        if path.suffix in TEXT or path.name in {"CMakeLists.txt", ".clang-tidy", ".clang-format"}:
            return True
        if path.suffix:
            return False
        with path.open("rb") as stream:
            return stream.read(2) == b"#!"

    def run(self):
        self.read_modules()
        for path in self.files():
            name = path.relative_to(self.root).as_posix()
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                self.say(name, 1, "encoding", "is not UTF-8")
                continue
            except FileNotFoundError:
                continue  # removed while we were reading
            self.check_text(name, text)
            if path.suffix in {".cc", ".h"}:
                self.check_cpp(name, text)
            if path.suffix == ".md":
                self.check_doc(name, path, text)
        return self.findings

    # --- modules -----------------------------------------------------------------------------

    def read_modules(self):
        for folder in sorted((self.root / "lib").glob("*/")):
            module, name = folder.name, f"lib/{folder.name}/CMakeLists.txt"
            if module in BANNED_MODULE_NAMES:
                self.say(f"lib/{module}", 1, "module-name", "says nothing; name the concept")
            cmake = folder / "CMakeLists.txt"
            if not cmake.exists():
                if any(folder.rglob("*.cc")):
                    self.say(name, 1, "module-unbuilt", "is missing; no target has these sources")
                continue
            match = MODULE.search(cmake.read_text(encoding="utf-8"))
            if not match or match.group(1) != module:
                self.say(name, 1, "module-cmake", f"does not call distcron_module({module} ...)")
                continue
            self.deps[module] = self.parse_deps(match.group(2))
            self.check_layers(module, name)

    @staticmethod
    def parse_deps(arguments):
        found, inside = set(), False
        for word in re.sub(r"#[^\n]*", "", arguments).split():
            if word in {"DEPS", "EXTERNAL"}:
                inside = word == "DEPS"
            elif inside:
                found.add(word)
        return found

    def check_layers(self, module, name):
        if module not in LAYERS:
            self.say(name, 1, "layer", f"module {module} has no layer; add it to {__file__}")
            return
        for dep in sorted(self.deps[module]):
            if LAYERS.get(dep, 99) >= LAYERS[module]:
                self.say(name, 1, "layer", f"{module} may not depend on {dep}: not a lower layer")
            elif module in NARROW and dep not in NARROW[module]:
                allowed = ", ".join(sorted(NARROW[module])) or "nothing"
                self.say(name, 1, "layer", f"{module} may depend only on {allowed}, not on {dep}")

    # --- every text file ----------------------------------------------------------------------

    def check_text(self, name, text):
        lines = text.split("\n")
        suffix = pathlib.PurePath(name).suffix
        if text and not text.endswith("\n"):
            self.say(name, len(lines), "end-of-file", "does not end with a newline")
        if text.endswith("\n\n"):
            self.say(name, len(lines) - 1, "end-of-file", "ends with an empty line")
        code = suffix in CODE or text.startswith("#!") or name.endswith("CMakeLists.txt")
        if code and not any("SPDX-License-Identifier: Apache-2.0" in row for row in lines[:3]):
            self.say(name, 1, "spdx", "lacks the line SPDX-License-Identifier: Apache-2.0")
        for number, row in enumerate(lines, 1):
            if row != row.rstrip() and not name.startswith(("tests/data/", "tests/fuzz/")):
                self.say(name, number, "whitespace", "ends with blanks")
            if MARK.match(row):
                self.say(name, number, "conflict", "is a merge conflict mark")
            if code and UNFINISHED.search(row):
                self.say(name, number, "unfinished", "finish it, or make it an issue")
            if WORKPLACE.search(row):
                self.say(name, number, "workplace", "names a folder of one workplace")

    # --- C++ ----------------------------------------------------------------------------------

    def check_cpp(self, name, text):
        count = text.count("\n")
        limit = 800 if name.startswith("tests/") else 250 if name.endswith(".h") else 500
        if re.fullmatch(r"cmd/\w+/main\.cc", name):
            limit = 60
        if count > limit:
            self.say(name, limit, "file-length", f"{count} lines, at most {limit}")
        if name.endswith(".h") and "#pragma once" not in text:
            self.say(name, 1, "header", "lacks #pragma once")
        bare = strip_cpp(text)
        for number, (row, raw) in enumerate(zip(bare.split("\n"), text.split("\n")), 1):
            self.check_calls(name, number, row)
            include = INCLUDE.match(raw)
            if include:
                self.check_include(name, number, include.group(1), include.group(2))
            elif name.startswith(("lib/", "cmd/")):
                for path in COMMENT_PATH.findall(raw):
                    if not (self.root / path).exists():
                        self.say(name, number, "dead-path", f"{path} does not exist")

    def check_calls(self, name, number, row):
        waits_allowed = name.startswith(("tests/e2e/", "tests/long/", "tests/bench/"))
        for pattern, why in BANNED_CALLS:
            if pattern.search(row) and not (waits_allowed and "condition" in why):
                self.say(name, number, "banned-call", why)
        timed = STEADY_NOW.sub("", row) if STEADY_MODULES.match(name) else row
        if not CLOCK_FILES.match(name) and CLOCK_CALLS.search(timed):
            self.say(name, number, "clock", "the time is read only in a clock file of agent or "
                     "ctl; take it as an argument")
        parts = name.split("/")
        if parts[0] == "lib" and parts[1] in PURE and PURE_NOW.search(row):
            self.say(name, number, "clock", "a pure module is handed the time")

    def check_include(self, name, number, ours, system):
        parts = name.split("/")
        if parts[0] != "lib":
            return
        module = parts[1]
        if system:
            if module in PURE and name not in PURE_HEADER_EXCEPTIONS \
                    and PURE_BANNED_HEADERS.match(system):
                self.say(name, number, "include", f"<{system}> has no place in a pure module")
            if module in {"process", "supervise", "base"} and PROCESS_BANNED_HEADERS.match(system):
                self.say(name, number, "include", f"<{system}>: {module} is linked into programs "
                         "that run as root and takes nothing from third parties")
            return
        target = ours.split("/")[0]
        if "/" not in ours:
            self.say(name, number, "include", f'"{ours}": write includes from lib/')
        elif target != module and target not in self.deps.get(module, set()):
            self.say(name, number, "include", f'"{ours}": {target} is not in the DEPS of {module}')

    # --- documents ----------------------------------------------------------------------------

    def check_doc(self, name, path, text):
        fenced = False
        for number, row in enumerate(text.split("\n"), 1):
            if row.startswith("```"):
                fenced = not fenced
            if fenced:
                continue
            for quoted in DOC_PATH.findall(row):
                self.check_quoted(name, number, quoted)
            for link in DOC_LINK.findall(row):
                if not (path.parent / link).exists():
                    self.say(name, number, "dead-link", f"{link} does not exist")

    def check_quoted(self, name, number, quoted):
        target = re.sub(r":\d+(-\d+)?$", "", quoted)
        if re.search(r"[<>{}]|NNNN|\.\.\.", target):
            return  # a pattern for people
        if any(c in target for c in "*?["):
            folder, _, pattern = target.rpartition("/")
            if not any(fnmatch.fnmatch(p.relative_to(self.root).as_posix(), target)
                       for p in (self.root / folder.split("*")[0]).glob("**/*")):
                self.say(name, number, "dead-path", f"nothing matches {quoted} ({pattern})")
        elif not (self.root / target).exists():
            self.say(name, number, "dead-path", f"{quoted} does not exist")


STRIP = re.compile(
    r'R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'
    r"'(?:\\.|[^'\\\n])'|//[^\n]*|/\*.*?\*/", re.S)


def strip_cpp(text):
    """The text without comments, strings and characters; line numbers stay."""
    def blank(match):
        return '""' + "\n" * match.group(0).count("\n") if match.group(0)[0] in 'R"' \
            else "\n" * match.group(0).count("\n")
    return STRIP.sub(blank, text)


def main(arguments):
    root = arguments[1] if len(arguments) > 1 else pathlib.Path(__file__).parents[2]
    findings = Tidy(root).run()
    for finding in findings:
        print(finding)
    print(f"tidy: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

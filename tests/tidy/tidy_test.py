#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule of tidy.py finds its own offence in a small tree, and nothing in a clean one."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tidy  # noqa: E402

HEAD = "// SPDX-License-Identifier: Apache-2.0\n"
CLEAN = {
    "lib/base/CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\n"
                               "distcron_module(base EXTERNAL expected)\n",
    "lib/cron/CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\n"
                               "distcron_module(cron DEPS base EXTERNAL date)\n",
    "lib/base/a.h": HEAD + "#pragma once\n#include <string>\n",
    "lib/cron/b.cc": HEAD + '#include "base/a.h"\n// never call system(1) or now()\n',
    "README.md": "See `lib/base/a.h:1`, `lib/*/b.cc` and [b](lib/cron/b.cc#top).\n",
}


def findings(changes):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**CLEAN, **changes}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tidy.Tidy(folder).run()


# rule that must speak, path, text
OFFENCES = [
    ("include", "lib/base/x.cc", HEAD + '#include "cron/b.h"\n'),
    ("include", "lib/base/x.cc", HEAD + "#include <mutex>\n"),
    ("include", "lib/cron/x.cc", HEAD + "#include <sys/stat.h>\n"),
    ("include", "lib/cron/x.cc", HEAD + '#include "sibling.h"\n'),
    ("include", "lib/base/x.cc", HEAD + "#include <spdlog/spdlog.h>\n"),
    ("layer", "lib/base/CMakeLists.txt",
     "# SPDX-License-Identifier: Apache-2.0\ndistcron_module(base DEPS cron)\n"),
    ("layer", "lib/planner/CMakeLists.txt",
     "# SPDX-License-Identifier: Apache-2.0\ndistcron_module(planner\n  DEPS base consensus)\n"),
    ("module-name", "lib/util/x.h", HEAD + "#pragma once\n"),
    ("module-unbuilt", "lib/http/x.cc", HEAD),
    ("banned-call", "lib/cron/x.cc", HEAD + 'int f() { return system("ls"); }\n'),
    ("banned-call", "lib/cron/x.cc", HEAD + "void f() { ::sleep(1); }\n"),
    ("banned-call", "lib/cron/x.cc", HEAD + "std::this_thread::sleep_for(1s);\n"),
    ("banned-call", "lib/cron/x.cc", HEAD + "using namespace std;\n"),
    ("banned-call", "tests/unit/cron/x_test.cc", HEAD + "void f() { usleep(1); }\n"),
    ("banned-call", "lib/cron/x.cc", HEAD + "auto t = localtime(&now);\n"),
    ("banned-call", "lib/cron/x.cc", HEAD + "int r = rand();\n"),
    ("banned-call", "lib/cron/x.cc", HEAD + "std::regex re;\n"),
    ("banned-call", "cmd/x/y.cc", HEAD + "std::thread(f).detach();\n"),
    ("clock", "cmd/x/y.cc", HEAD + "auto t = std::chrono::system_clock::now();\n"),
    ("clock", "lib/cron/x.cc", HEAD + "auto t = clock.now();\n"),
    ("clock", "lib/cron/x.cc", HEAD + "auto t = std::chrono::steady_clock::now();\n"),
    ("banned-call", "lib/cron/x.cc", HEAD + "std::strcpy(a, b);\n"),
    ("clock", "cmd/x/y.cc", HEAD + "auto t = time(nullptr);\n"),
    ("file-length", "lib/cron/x.cc", HEAD + "\n" * 500 + "int x;\n"),
    ("file-length", "lib/cron/x.h", HEAD + "#pragma once\n" + "\n" * 250 + "int x;\n"),
    ("file-length", "cmd/distcrond/main.cc", HEAD + "int x;\n" * 70),
    ("header", "lib/cron/x.h", HEAD),
    ("spdx", "lib/cron/x.cc", "int x;\n"),
    ("spdx", "packaging/tool", "#!/bin/sh\n"),
    ("unfinished", "lib/cron/x.cc", HEAD + "// FIX" + "ME later\n"),
    ("conflict", "README.md", "<" * 7 + " ours\n"),
    ("workplace", "README.md", "in /wo" + "rk/main\n"),
    ("whitespace", "README.md", "blank \n"),
    ("end-of-file", "README.md", "no newline"),
    ("end-of-file", "README.md", "empty line\n\n"),
    ("dead-path", "README.md", "See `lib/cron/gone.cc`.\n"),
    ("dead-path", "README.md", "See `lib/cron/*_gone.cc`.\n"),
    ("dead-path", "lib/cron/x.cc", HEAD + "// see docs/gone.md\n"),
    ("dead-link", "README.md", "See [it](docs/gone.md).\n"),
]


class TidyTest(unittest.TestCase):
    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(findings({}), [])

    def test_each_offence_is_found_by_its_rule_and_by_no_other(self):
        for rule, name, text in OFFENCES:
            with self.subTest(rule=rule, text=text):
                found = findings({name: text})
                self.assertEqual({line.split(": ")[1] for line in found}, {rule}, found)
                place = "/".join(name.split("/")[:2]) if rule.startswith("module-") else name
                self.assertTrue(found[0].startswith(place), found)

    def test_the_clock_files_may_read_the_clock(self):
        text = HEAD + "auto t = std::chrono::system_clock::now();\n"
        self.assertEqual(findings({
            "lib/agent/clock_os.cc": text,
            "lib/agent/CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\n"
                                        "distcron_module(agent DEPS base)\n"}), [])

    def test_a_module_with_sockets_may_time_them_by_the_steady_clock(self):
        self.assertEqual(findings({
            "cmd/x/y.cc": HEAD + "auto t = std::chrono::steady_clock::now();\n"}), [])

    def test_a_member_with_the_name_of_a_banned_function_is_none(self):
        text = HEAD + 'auto a = m.gets("x") + p->rand();\nvoid sleep(int);\n'
        self.assertEqual(findings({"lib/cron/x.cc": text}), [])

    def test_strings_and_comments_are_no_calls(self):
        text = HEAD + 'auto a = "system(1)"; /* rand() */ auto b = R"(sleep(1)\nnow())"; int c;\n'
        self.assertEqual(findings({"lib/cron/x.cc": text}), [])

    def test_lines_after_a_raw_string_keep_their_numbers(self):
        text = HEAD + 'auto a = R"(\n\n)";\nint r = rand();\n'
        self.assertEqual([line.split(":")[1] for line in findings({"lib/cron/x.cc": text})], ["5"])


if __name__ == "__main__":
    unittest.main()

// SPDX-License-Identifier: Apache-2.0
// Assignments, commands with %, and file rules: the parts that need no schedule.
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cron/crontab_command.h"
#include "cron/crontab_env.h"
#include "cron/crontab_files.h"
#include "support/seed.h"

namespace distcron::cron {
namespace {

struct EnvRow {
  const char* line;
  const char* debian;  ///< "name=value", or nullptr for none
  const char* cronie;
  const char* supercronic;
};

std::string shown(const EnvLine& line) {
  return line.var ? line.var->name + "=" + line.var->value : "(none)";
}

TEST_SUITE("cron") {
  TEST_CASE("each daemon reads assignments by its own grammar") {
    const EnvRow rows[] = {
        {"FOO=bar", "FOO=bar", "FOO=bar", "FOO=bar"},
        {"FOO = bar", "FOO=bar", "FOO=bar", "FOO=bar"},
        {"FOO=bar baz \t", "FOO=bar baz", "FOO=bar baz", "FOO=bar baz \t"},
        {"FOO=bar # c", "FOO=bar # c", "FOO=bar # c", "FOO=bar # c"},
        {"FOO=\"a b\"", "FOO=a b", "FOO=a b", "FOO=a b"},
        {"FOO='a b'  ", "FOO=a b", "FOO=a b", "FOO='a b'  "},
        {"FOO=\"a\" b", nullptr, nullptr, "FOO=\"a\" b"},
        {"FOO=\"a", nullptr, nullptr, "FOO=\"a"},
        {"FOO=a\"b\"c", "FOO=a\"b\"c", "FOO=a\"b\"c", "FOO=a\"b\"c"},
        {"FOO=\"'x'\"", "FOO=x", "FOO='x'", "FOO='x'"},
        {"FOO=\"x  \"", "FOO=x", "FOO=x  ", "FOO=x  "},
        {"FOO=\"\"", "FOO=", "FOO=", "FOO="},
        {"FOO=", nullptr, "FOO=", nullptr},
        {"FOO =  ", nullptr, "FOO=", nullptr},
        {"'F O'=x", "F O=x", "F O=x", nullptr},
        {"\"F=O\"=x", nullptr, nullptr, "\"F=O\"=x"},
        {"=x", "=x", "=x", nullptr},
        {"F O=x", nullptr, nullptr, nullptr},
        {"* * * * * A=b", nullptr, nullptr, nullptr},
        {"FOO=$HOME/x", "FOO=$HOME/x", "FOO=$HOME/x", "FOO=$HOME/x"},
        {"FOO=x\r", "FOO=x", "FOO=x", "FOO=x\r"},
        {"FOO", nullptr, nullptr, nullptr},
        {"", nullptr, nullptr, nullptr},
        {"'", nullptr, nullptr, nullptr},
    };
    for (const EnvRow& row : rows) {
      CAPTURE(std::string(row.line));
      const auto expect = [](const char* text) { return std::string(text ? text : "(none)"); };
      CHECK(shown(parse_env_line(row.line, Dialect::kDebian)) == expect(row.debian));
      CHECK(shown(parse_env_line(row.line, Dialect::kCronie)) == expect(row.cronie));
      CHECK(shown(parse_env_line(row.line, Dialect::kSupercronic)) == expect(row.supercronic));
    }
  }

  TEST_CASE("an assignment longer than Debian's buffer loses its end and is marked") {
    const std::string line = "FOO=" + std::string(2'000, 'x');

    const EnvLine debian = parse_env_line(line, Dialect::kDebian);
    const EnvLine cronie = parse_env_line(line, Dialect::kCronie);

    REQUIRE(debian.var);
    CHECK(debian.was_cut);
    CHECK(debian.var->value.size() == kDebianEnvBytesMax - 4);
    REQUIRE(cronie.var);
    CHECK_FALSE(cronie.was_cut);
    CHECK(cronie.var->value.size() == 2'000);
    CHECK_FALSE(parse_env_line("FOO=\"" + std::string(2'000, 'x') + "\"", Dialect::kDebian).var);
  }

  TEST_CASE("percent signs and backslashes split the command as each daemon does") {
    struct Row {
      const char* text;
      Dialect dialect;
      const char* command;
      const char* stdin_text;
    };

    const Row rows[] = {
        {"date", Dialect::kDebian, "date", ""},
        {"date +\\%F", Dialect::kDebian, "date +%F", ""},
        {"date +\\%F", Dialect::kCronie, "date +%F", ""},
        {"date +\\%F", Dialect::kSupercronic, "date +\\%F", ""},
        {"date +%F", Dialect::kSupercronic, "date +%F", ""},
        {"cat%a%b", Dialect::kDebian, "cat", "a\nb\n"},
        {"cat%a%b", Dialect::kCronie, "cat", "a\nb\n"},
        {"cat%", Dialect::kDebian, "cat", ""},
        {"cat%%", Dialect::kDebian, "cat", "\n"},
        {"echo a\\\\b", Dialect::kDebian, "echo a\\b", ""},
        {"echo a\\\\b", Dialect::kCronie, "echo a\\\\b", ""},
        {"echo \\\\%x", Dialect::kDebian, "echo \\", "x\n"},
        {"echo \\\\%x", Dialect::kCronie, "echo \\\\", "x\n"},
        {"echo a\\nb", Dialect::kDebian, "echo a\\nb", ""},
        {"echo \"50%\"", Dialect::kDebian, "echo \"50", "\"\n"},
        {"cat%a\\%b\\c", Dialect::kDebian, "cat", "a%b\\c\n"},
        {"cat%a\\\\%b", Dialect::kDebian, "cat", "a\\%b\n"},
        {"cat%\\", Dialect::kDebian, "cat", "\\"},
        {"x\\", Dialect::kDebian, "x\\", ""},
    };
    for (const Row& row : rows) {
      CAPTURE(std::string(row.text));
      CAPTURE(name_of(row.dialect));
      const CommandText parts = split_command(row.text, row.dialect);
      CHECK(parts.command == row.command);
      CHECK(parts.stdin_text == row.stdin_text);
    }
  }

  TEST_CASE("join_command gives a text that splits into the same parts, or none") {
    std::mt19937_64 random(test::seed());
    constexpr std::string_view kBytes = "ab %\\'\"";
    int written = 0;
    for (int round = 0; round < 20'000; ++round) {
      std::string text;
      for (std::size_t i = random() % 12; i > 0; --i)
        text += kBytes[random() % kBytes.size()];
      const Dialect dialect = random() % 2 == 0 ? Dialect::kDebian : Dialect::kCronie;
      const CommandText parts = split_command(text, dialect);
      const auto joined = join_command(parts, dialect);
      if (!joined) continue;
      ++written;
      CAPTURE(text);
      CHECK(split_command(*joined, dialect) == parts);
    }
    CHECK(written > 15'000);
  }

  TEST_CASE("a command with a newline cannot be written as a crontab line") {
    CHECK_FALSE(join_command({"a\nb", ""}, Dialect::kDebian));
    CHECK_FALSE(join_command({"cat", "no newline at the end"}, Dialect::kDebian));
    CHECK(join_command({"date +%F", "x\ny\n"}, Dialect::kDebian) == "date +\\%F%x%y");
  }

  TEST_CASE("each daemon has its rule for names in cron.d") {
    struct Row {
      const char* name;
      bool classic;
      bool lsb;
      bool cronie;
    };

    const Row rows[] = {
        {"php", true, true, true},
        {"e2scrub_all", true, false, true},
        {"Foo", true, false, true},
        {"foo.conf", false, false, true},
        {"foo.dpkg-dist", false, true, true},  // `foo.dpkg-` is a segment; only the next one is out
        {"foo-bar.dpkg-dist", false, false, true},
        {"com.example-job", false, true, true},
        {"_com.example-job1", false, true, true},
        {"a--b", true, true, true},  // the plain LSB form allows it
        {"-x", true, false, true},
        {".placeholder", false, false, false},
        {"#foo#", false, false, false},
        {"foo~", false, false, false},
        {"foo.rpmsave", false, false, false},
        {"foo.rpmnew", false, false, false},
        {"foo.rpmorig", false, false, false},
        {"foo bar", false, false, true},
        {"", false, false, false},
    };
    for (const Row& row : rows) {
      CAPTURE(std::string(row.name));
      CHECK(daemon_reads_name(Dialect::kDebian, row.name) == row.classic);
      CHECK(daemon_reads_name(Dialect::kCronie, row.name) == row.cronie);
      if (std::string_view(row.name) == "foo.dpkg-dist") continue;
      CHECK(daemon_reads_name(Dialect::kDebian, row.name, NameRule::kLsb) == row.lsb);
    }
  }

  TEST_CASE("a table is read only with the owner, mode and links that its daemon wants") {
    const auto reason = [](Dialect dialect, TableKind kind, const StatFacts& facts) {
      return check_table_stat(dialect, kind, facts).value_or("");
    };
    const StatFacts user_table{.uid = 1000, .mode = 0600, .table_uid = 1000};
    const StatFacts system_table{.uid = 0, .mode = 0644};

    CHECK(reason(Dialect::kDebian, TableKind::kUser, user_table).empty());
    CHECK(reason(Dialect::kDebian, TableKind::kSystem, system_table).empty());
    CHECK(reason(Dialect::kCronie, TableKind::kUser, user_table).empty());
    CHECK(reason(Dialect::kCronie, TableKind::kSystem, system_table).empty());
    CHECK(reason(Dialect::kSupercronic, TableKind::kUser, {.mode = 0777}).empty());

    StatFacts facts = user_table;
    facts.mode = 0640;
    CHECK(reason(Dialect::kDebian, TableKind::kUser, facts) == "its mode is not 0600");
    CHECK(reason(Dialect::kCronie, TableKind::kUser, facts).empty());
    facts = user_table;
    facts.uid = 1001;
    CHECK_FALSE(reason(Dialect::kDebian, TableKind::kUser, facts).empty());
    CHECK_FALSE(reason(Dialect::kCronie, TableKind::kUser, facts).empty());
    facts.uid = 0;
    CHECK(reason(Dialect::kDebian, TableKind::kUser, facts).empty());
    facts = user_table;
    facts.links = 2;
    CHECK_FALSE(reason(Dialect::kDebian, TableKind::kUser, facts).empty());
    CHECK_FALSE(reason(Dialect::kCronie, TableKind::kUser, facts).empty());

    facts = system_table;
    facts.mode = 0664;
    CHECK_FALSE(reason(Dialect::kDebian, TableKind::kSystem, facts).empty());
    CHECK_FALSE(reason(Dialect::kCronie, TableKind::kSystem, facts).empty());
    facts = system_table;
    facts.mode = 0755;
    CHECK(reason(Dialect::kDebian, TableKind::kSystem, facts).empty());
    CHECK_FALSE(reason(Dialect::kCronie, TableKind::kSystem, facts).empty());
    facts = system_table;
    facts.is_symlink = true;
    CHECK(reason(Dialect::kDebian, TableKind::kSystem, facts).empty());
    facts.link_uid = 1000;
    CHECK_FALSE(reason(Dialect::kDebian, TableKind::kSystem, facts).empty());
    facts = system_table;
    facts.links = 2;
    CHECK_FALSE(reason(Dialect::kDebian, TableKind::kSystem, facts).empty());
    CHECK(reason(Dialect::kCronie, TableKind::kSystem, facts).empty());
  }

  TEST_CASE("a cron daemon is alive when its pid file names a process called so") {
    std::map<std::string, std::string> files;
    const auto runs = [&files] {
      return is_cron_daemon_running([&files](const std::string& path) {
        const auto at = files.find(path);
        return at == files.end() ? std::nullopt : std::optional(at->second);
      });
    };

    CHECK_FALSE(runs());
    files["/run/cron.pid"] = "123\n";
    CHECK_FALSE(runs());
    files["/proc/123/comm"] = "bash\n";
    CHECK_FALSE(runs());
    files["/proc/123/comm"] = "cron\n";
    CHECK(runs());
    files = {{"/run/crond.pid", "7"}, {"/proc/7/comm", "crond\n"}};
    CHECK(runs());
    files = {{"/run/crond.pid", "nonsense"}, {"/proc//comm", "crond\n"}};
    CHECK_FALSE(runs());
  }
}

}  // namespace
}  // namespace distcron::cron

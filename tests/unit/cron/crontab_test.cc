// SPDX-License-Identifier: Apache-2.0
#include "cron/crontab.h"

#include <string>

#include <doctest/doctest.h>

namespace distcron::cron {
namespace {

CrontabFile parse_as(Dialect dialect, TableKind kind, std::string_view text) {
  CrontabOptions options;
  options.dialect = dialect;
  options.kind = kind;
  return parse_crontab(text, options);
}

CrontabFile debian(std::string_view text) {
  return parse_as(Dialect::kDebian, TableKind::kUser, text);
}

CrontabLine only(const CrontabFile& file) {
  REQUIRE(file.lines.size() == 1);
  return file.lines[0];
}

TEST_SUITE("cron") {
  TEST_CASE("a user table gives its entries with schedule, command, input and environment") {
    const CrontabFile file = debian(
        "# comment\n"
        "\n"
        "MAILTO=root\n"
        "PATH=/bin\n"
        " */5 8-18 * * 1-5\t/usr/bin/backup --now%line one%line two\n"
        "MAILTO=\"\"\n"
        "@daily echo \\%\n");

    REQUIRE(file.lines.size() == 7);
    CHECK(file.lines[0].kind == LineKind::kComment);
    CHECK(file.lines[1].kind == LineKind::kBlank);
    CHECK(file.lines[2].kind == LineKind::kEnv);
    const CrontabEntry& backup = file.lines[4].entry;
    CHECK(file.lines[4].number == 5);
    CHECK(backup.schedule_text == "*/5 8-18 * * 1-5");
    CHECK(backup.schedule_column == 2);
    CHECK(backup.command == "/usr/bin/backup --now");
    CHECK(backup.command_column == 19);
    CHECK(backup.stdin_text == "line one\nline two\n");
    CHECK(*backup.env == Env{{"MAILTO", "root"}, {"PATH", "/bin"}});
    CHECK(backup.tz.empty());
    const CrontabEntry& daily = file.lines[6].entry;
    CHECK(daily.command == "echo %");
    CHECK(*daily.env == Env{{"MAILTO", ""}, {"PATH", "/bin"}});
    CHECK_FALSE(file.daemon_ignores_file);
  }

  TEST_CASE("a system table has the user between schedule and command") {
    const CrontabLine line =
        only(parse_as(Dialect::kDebian, TableKind::kSystem, "17 * * * * root  cd / && ls\n"));

    CHECK(line.kind == LineKind::kEntry);
    CHECK(line.entry.user == "root");
    CHECK(line.entry.user_column == 12);
    CHECK(line.entry.command == " cd / && ls");
  }

  TEST_CASE("each daemon refuses the lines that it refuses") {
    struct Row {
      const char* text;
      TableKind kind;
      Refusal debian;
      Refusal cronie;
      Refusal supercronic;
    };

    constexpr auto kUser = TableKind::kUser;
    constexpr auto kSystem = TableKind::kSystem;
    constexpr auto kNone = Refusal::kNone;
    const Row rows[] = {
        {"* * * * *", kUser, kNone, Refusal::kCommand, Refusal::kSchedule},
        {"* * * * * ", kUser, kNone, Refusal::kCommand, Refusal::kSchedule},
        {"* * * * * * x", kUser, Refusal::kCommand, Refusal::kCommand, kNone},
        {"@daily", kUser, kNone, Refusal::kCommand, Refusal::kSchedule},
        {"@daily * x", kUser, Refusal::kCommand, Refusal::kCommand, kNone},
        {"* * * * * root", kSystem, Refusal::kNoUser, Refusal::kNoUser, kNone},
        {"* * * * * root ", kSystem, kNone, kNone, kNone},
        {"* * * * * * x", kSystem, kNone, Refusal::kCommand, kNone},
        {"- * * * * x", kUser, Refusal::kSchedule, Refusal::kOption, Refusal::kSchedule},
        {"-* * * * * x", kUser, Refusal::kSchedule, Refusal::kOption, Refusal::kSchedule},
        {"-* * * * * root x", kSystem, Refusal::kSchedule, kNone, Refusal::kSchedule},
        {"- * * * * root x", kSystem, Refusal::kSchedule, Refusal::kSchedule, Refusal::kSchedule},
        {"* * * * * -n x", kUser, kNone, kNone, kNone},
        {"* * * * * -x y", kUser, kNone, Refusal::kOption, kNone},
        {"* * * * * -n -n y", kUser, kNone, Refusal::kOption, kNone},
        {"* * * * * -n", kUser, kNone, Refusal::kOption, kNone},
        {"* * * * * -n ", kUser, kNone, Refusal::kCommand, kNone},
        {"FOO=", kUser, Refusal::kEmptyValue, kNone, Refusal::kEmptyValue},
        {"FOO=\"a\" b", kUser, Refusal::kQuote, Refusal::kQuote, kNone},
        {"FOO=\"a", kUser, Refusal::kQuote, Refusal::kQuote, kNone},
        {"61 * * * * x", kUser, Refusal::kSchedule, Refusal::kSchedule, Refusal::kSchedule},
        {"@midnight x", kUser, kNone, kNone, Refusal::kSchedule},
        {"@reboot x", kUser, kNone, kNone, Refusal::kSchedule},
        {"CRON_TZ=No/Where", kUser, kNone, kNone, Refusal::kUnknownZone},
    };
    for (const Row& row : rows) {
      CAPTURE(std::string(row.text));
      const std::string text = std::string(row.text) + "\n";
      CHECK(only(parse_as(Dialect::kDebian, row.kind, text)).refusal == row.debian);
      CHECK(only(parse_as(Dialect::kCronie, row.kind, text)).refusal == row.cronie);
      CHECK(only(parse_as(Dialect::kSupercronic, row.kind, text)).refusal == row.supercronic);
    }
  }

  TEST_CASE("refused lines say what is wrong and where") {
    const CrontabLine line = only(debian("  0 99 * * * x\n"));
    CHECK(line.kind == LineKind::kRefused);
    CHECK(line.column == 5);
    CHECK(line.error == "hour: 99 is not in 0-23");
  }

  TEST_CASE("one bad line makes Debian's cron ignore the file, and its good lines still parse") {
    const std::string text = "0 0 * * * good\n61 * * * * bad\nFOO=\n1 0 * * * good\n";

    const CrontabFile file = debian(text);
    CHECK(file.daemon_ignores_file);
    CHECK(file.fault == FileFault::kBadLine);
    CHECK(file.fault_line == 2);
    CHECK(file.lines[0].kind == LineKind::kEntry);
    CHECK(file.lines[3].kind == LineKind::kEntry);

    CHECK_FALSE(parse_as(Dialect::kCronie, TableKind::kUser, text).daemon_ignores_file);
    CHECK(parse_as(Dialect::kSupercronic, TableKind::kUser, text).daemon_ignores_file);
  }

  TEST_CASE("a missing newline at the end costs Debian the file and cronie the line") {
    const std::string text = "0 0 * * * a\n1 0 * * * b";

    const CrontabFile on_debian = debian(text);
    CHECK(on_debian.daemon_ignores_file);
    CHECK(on_debian.fault == FileFault::kNoNewline);
    CHECK(on_debian.lines[1].refusal == Refusal::kNoNewline);
    CHECK(on_debian.lines[1].entry.command == "b");
    CHECK_FALSE(on_debian.ends_with_newline);

    const CrontabFile on_cronie = parse_as(Dialect::kCronie, TableKind::kUser, text);
    CHECK_FALSE(on_cronie.daemon_ignores_file);
    CHECK(on_cronie.lines[1].kind == LineKind::kRefused);

    const CrontabFile on_supercronic = parse_as(Dialect::kSupercronic, TableKind::kUser, text);
    CHECK(on_supercronic.lines[1].kind == LineKind::kEntry);
    CHECK_FALSE(debian("0 0 * * * a\n# comment").daemon_ignores_file);
    CHECK_FALSE(debian("0 0 * * * a\n \t").daemon_ignores_file);
  }

  TEST_CASE("Debian ignores a file whose entries go beyond 10,000 lines and its three of header") {
    std::string text;
    for (int i = 0; i < 10'002; ++i)
      text += "#\n";
    CHECK_FALSE(debian(text + "0 0 * * * x\n").daemon_ignores_file);
    CHECK_FALSE(debian(text + "#\n#\n#\n").daemon_ignores_file);
    const CrontabFile file = debian(text + "#\n0 0 * * * x\n");
    CHECK(file.daemon_ignores_file);
    CHECK(file.fault == FileFault::kTooManyLines);
    CHECK(file.fault_line == 10'004);
  }

  TEST_CASE("a command of 998 bytes is the longest that Debian takes") {
    CHECK(only(debian("0 0 * * * " + std::string(998, 'x') + "\n")).kind == LineKind::kEntry);
    const CrontabLine line = only(debian("0 0 * * * " + std::string(999, 'x') + "\n"));
    CHECK(line.refusal == Refusal::kCommandTooLong);
  }

  TEST_CASE("cronie cuts commands at its buffer and fails user tables beyond its limits") {
    const auto cronie = [](std::string_view text) {
      return parse_as(Dialect::kCronie, TableKind::kUser, text);
    };
    const CrontabLine line = only(cronie("0 0 * * * " + std::string(140'000, 'x') + "\n"));
    CHECK(line.entry.command_was_cut);
    CHECK(line.entry.command.size() == kCronieCommandBytesMax);

    std::string entries;
    for (int i = 0; i < kCronieEntriesMax; ++i)
      entries += "0 0 * * * x\n";
    CHECK_FALSE(cronie(entries).daemon_ignores_file);
    CHECK(cronie(entries + "0 0 * * * x\n").fault == FileFault::kLimit);

    std::string assignments;
    for (int i = 0; i < kCronieEnvLinesMax; ++i)
      assignments += "A=1\n";
    CHECK_FALSE(cronie(assignments).daemon_ignores_file);
    CHECK(cronie(assignments + "A=1\n").fault_line == 1'001);

    const std::string garbage = "#" + std::string(32'765, 'c') + "\n";
    CHECK_FALSE(cronie(garbage + "0 0 * * * x\n").daemon_ignores_file);
    CHECK(cronie(garbage + "#\n0 0 * * * x\n").daemon_ignores_file);
    CHECK_FALSE(parse_as(Dialect::kCronie, TableKind::kSystem, garbage + "#\n0 0 * * * root x\n")
                    .daemon_ignores_file);
  }

  TEST_CASE("CRON_TZ holds for the entries below it on cronie, for all on supercronic") {
    const std::string text =
        "0 0 * * * a\nCRON_TZ=Asia/Tokyo\n0 0 * * * b\nCRON_TZ=Europe/Berlin\n0 0 * * * c\n";

    const CrontabFile cronie = parse_as(Dialect::kCronie, TableKind::kUser, text);
    CHECK(cronie.lines[0].entry.tz.empty());
    CHECK(cronie.lines[2].entry.tz == "Asia/Tokyo");
    CHECK(cronie.lines[4].entry.tz == "Europe/Berlin");

    const CrontabFile supercronic = parse_as(Dialect::kSupercronic, TableKind::kUser, text);
    for (const int i : {0, 2, 4}) {
      CHECK(supercronic.lines[static_cast<std::size_t>(i)].entry.tz == "Europe/Berlin");
      CHECK(*supercronic.lines[static_cast<std::size_t>(i)].entry.env ==
            Env{{"CRON_TZ", "Europe/Berlin"}});
    }
    CHECK(debian(text).lines[2].entry.tz.empty());
  }

  TEST_CASE("an unknown user drops the file on Debian and is left to the run on cronie") {
    CrontabOptions options;
    options.kind = TableKind::kSystem;
    options.user_exists = [](std::string_view name) { return name == "root"; };
    const std::string text = "0 0 * * * nobody1 x\n0 0 * * * root x\n";

    const CrontabFile file = parse_crontab(text, options);
    CHECK(file.lines[0].refusal == Refusal::kUnknownUser);
    CHECK(file.daemon_ignores_file);
    options.dialect = Dialect::kCronie;
    CHECK(parse_crontab(text, options).lines[0].kind == LineKind::kEntry);
  }

  TEST_CASE("cronie's marks for logging and mail are read and taken off") {
    const CrontabLine line =
        only(parse_as(Dialect::kCronie, TableKind::kSystem, "-0 0 * * * root -n  x -n\n"));
    CHECK(line.entry.is_quiet);
    CHECK(line.entry.mails_only_failure);
    CHECK(line.entry.command == "x -n");
    CHECK(line.entry.schedule_text == "0 0 * * *");
    // Two blanks before the mark make it a part of the command, as in crond.
    CHECK(only(parse_as(Dialect::kCronie, TableKind::kSystem, "0 0 * * * root  -n x\n"))
              .entry.command == " -n x");
  }

  TEST_CASE("lines with carriage returns are read as the daemons read them") {
    CHECK(only(debian("\r\n")).refusal == Refusal::kSchedule);
    CHECK(only(debian("0 0 * * * x\r\n")).entry.command == "x\r");
    CHECK(
        only(parse_as(Dialect::kSupercronic, TableKind::kUser, "0 0 * * * x\r\n")).entry.command ==
        "x");
  }

  TEST_CASE("a NUL byte and a line beyond Go's buffer are refused") {
    CHECK(only(debian(std::string_view("0 0 * * * a\0b\n", 14))).refusal == Refusal::kNulByte);
    const std::string line = "0 0 * * * " + std::string(65'530, 'x');
    const CrontabFile file = parse_as(Dialect::kSupercronic, TableKind::kUser, line + "\n");
    CHECK(only(file).refusal == Refusal::kLineTooLong);
    CHECK(file.daemon_ignores_file);
  }

  TEST_CASE("a file cannot make its environments take memory without bound") {
    std::string text;
    for (int i = 0; i < 4'000; ++i) {
      text += "V" + std::to_string(i) + "=1\n0 0 * * * x\n";
    }
    const CrontabFile file = debian(text);
    CHECK(file.lines[1].kind == LineKind::kEntry);
    CHECK(file.lines.back().refusal == Refusal::kTooMuchEnv);
  }

  TEST_CASE("an empty file is a good file") {
    CHECK(debian("").lines.empty());
    CHECK_FALSE(debian("").daemon_ignores_file);
  }
}

}  // namespace
}  // namespace distcron::cron

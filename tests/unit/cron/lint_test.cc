// SPDX-License-Identifier: Apache-2.0
#include "cron/lint.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace distcron::cron {
namespace {

/// 2026-03-01T00:00:00Z, four weeks before the clocks of Berlin change.
constexpr std::int64_t kMarch2026 = 1'772'323'200;

struct Host {
  Dialect dialect = Dialect::kDebian;
  TableKind kind = TableKind::kUser;
  LintContext context = {};
};

std::vector<LintItem> lint(std::string_view text, Host host = {}) {
  CrontabOptions options;
  options.dialect = host.dialect;
  options.kind = host.kind;
  if (!host.context.zone) host.context.zone = Zone::utc();
  host.context.now = wall_from_seconds(kMarch2026);
  return lint_crontab(parse_crontab(text, options), host.context);
}

/// "L01w2" for each finding: code, first letter of the severity, line.
std::string codes(const std::vector<LintItem>& items) {
  std::string out;
  for (const LintItem& item : items) {
    if (!out.empty()) out += ' ';
    out += item.code + std::string(name_of(item.severity).substr(0, 1)) + std::to_string(item.line);
  }
  return out;
}

TEST_SUITE("cron") {
  TEST_CASE("each lint of one line is found where it belongs and nowhere else") {
    struct Row {
      const char* line;
      const char* debian;
      const char* cronie;
      const char* supercronic;
    };

    const char* const kBad = "E01e1";
    const char* const kBadFile = "L20w1 E01e1";
    const Row rows[] = {
        {"0 3 * * * /bin/x", "", "", ""},
        {"*/15 * * * * /bin/x", "", "", ""},
        {"0 0 30 2 * /bin/x", "L01w1", "L01w1", "L01w1"},
        {"50-10 * * * * /bin/x", "L01w1", "L01w1", kBadFile},
        {"0,50-10 * * * * /bin/x", "L01w1", "L01w1", kBadFile},
        {"0 0 * * sat-sun /bin/x", "L01w1", "", kBadFile},
        {"5;3 * * * * /bin/x", "L02w1", kBad, kBadFile},
        {"1-5-7 * * * * /bin/x", "L02w1", kBad, kBadFile},
        {"5~10 * * * * /bin/x", "L03w1", "", kBadFile},
        {"0 0 * * 5#3 /bin/x", "L04w1", kBad, ""},
        {"0 0 */2 * 1 /bin/x", "L05w1 L07i1", "L05w1 L07i1", "L05w1 L07i1"},
        {"0 0 13 * 5 /bin/x", "L05i1", "L05i1", "L05i1"},
        {"0 0 1,* * 1 /bin/x", "L05w1", "L05w1", "L05w1"},
        {"*/100 * * * * /bin/x", "L06w1", "L06w1", kBadFile},
        {"5-9/7 * * * * /bin/x", "L06w1", "L06w1", "L06w1"},
        {"*/35 * * * * /bin/x", "L07w1", "L07w1", "L07w1"},
        {"0 */5 * * * /bin/x", "L07w1", "L07w1", "L07w1"},
        {"0 0 * * */2 /bin/x", "L07i1", "L07i1", "L07i1"},
        {"0 0 * */5 * /bin/x", "L07i1", "L07i1", "L07i1"},
        {"0 3 * * * date +%F", "L08w1", "L08w1", ""},
        {"0 3 * * * date +\\%F", "", "", "L08w1"},
        {"0 3 * * * echo a\\\\b", "L09w1", "", ""},
        {"FOO=", "L20w1 L10e1", "L10i1", "L20w1 L10e1"},
        {"FOO=\"a\" b", "L20w1 L11e1", "L11e1", "L11w1"},
        {"FOO=a \"b\"", "L11w1", "L11w1", "L11w1"},
        {"FOO=bar # c", "L11w1", "L11w1", "L11w1"},
        {"PATH=$HOME/bin:/bin", "L12w1", "L12w1", "L12w1"},
        {"MAILTO=$LOGNAME", "L12w1 L21w1", "L21w1", "L21w1 L12w1"},
        {"0 3 * * * bin/x", "L13w1", "L13w1", ""},
        {"CRON_TZ=Asia/Tokyo", "L14w1", "", ""},
        {"CRON_TZ=Mars/Base", "L14w1", "L14w1", "L20w1 L14e1"},
        {"TZ=Asia/Tokyo", "L14i1", "L14i1", "L14i1"},
        {"0 3 * * * root /bin/x", "L16w1", "L16w1", "L16w1"},
        {"MAILTO=a b", "L21w1", "L21w1", "L21w1"},
        {"MAILTO=\"\"", "", "", "L21w1"},
        {"-0 3 * * * /bin/x", "L20w1 L23e1", kBad, "L20w1 L23e1"},
        {"0 3 * * * -n /bin/x", "L23w1", "", ""},
        {"LOGNAME=x", "L25w1", "L25w1", "L25w1"},
        {"USER=x", "", "L25w1", "L25w1"},
        {"0 3 * * * 2030 /bin/x", "L27w1", "L27w1", "L27w1"},
        {"0 3 * * monday /bin/x", "L20w1 L28e1", "L28e1", "L28w1"},
        {"0 3 * * * run-parts /etc/cron.daily", "L30i1", "L30i1", "L30i1"},
        {"0 3 * * *", "E02w1", kBad, kBadFile},
        {"61 3 * * * /bin/x", kBadFile, kBad, kBadFile},
        {"@reboot /bin/x", "", "", kBadFile},
        {"@daily /bin/x", "", "", ""},
    };
    for (const Row& row : rows) {
      const std::string text = std::string(row.line) + "\n";
      CAPTURE(text);
      CHECK(codes(lint(text)) == row.debian);
      CHECK(codes(lint(text, {.dialect = Dialect::kCronie})) == row.cronie);
      CHECK(codes(lint(text, {.dialect = Dialect::kSupercronic})) == row.supercronic);
    }
  }

  TEST_CASE("messages say what the daemon does and the way out") {
    const auto items = lint("5;3 0 * * * /bin/x\n");
    REQUIRE(items.size() == 1);
    CHECK(items[0].column == 2);
    CHECK(items[0].message.find("cron reads only '5' of the minute '5;3'") == 0);
    CHECK(items[0].message.find("take the rest away") != std::string::npos);
    CHECK(is_silently_wrong(items[0]));
    CHECK_FALSE(is_silently_wrong(lint("0 0 13 * 5 /bin/x\n").at(0)));
  }

  TEST_CASE("files of several lines get the lints that need more than one line") {
    CHECK(codes(lint("0 3 * * * a\n0 3 * * * a\n")) == "L29w2");
    CHECK(codes(lint("0 3 * * * a\nFOO=b\n", {.dialect = Dialect::kSupercronic})) == "L26w2");
    CHECK(codes(lint("0 3 * * * a\n61 * * * * b\n")) == "L20w2 E01e2");
    CHECK(codes(lint("0 3 * * * a\n0 4 * * * b")) == "L19e2");
    CHECK(codes(lint("0 3 * * * a\n0 4 * * * b", {.dialect = Dialect::kCronie})) == "L19e2");
    CHECK(codes(lint("0 4 * * * b", {.dialect = Dialect::kSupercronic})).empty());

    std::string many;
    for (int i = 0; i < 11; ++i)
      many += "30 4 * * * job" + std::to_string(i) + "\n";
    CHECK(codes(lint(many)) == "L22w11");
    CHECK(codes(lint(many.substr(0, many.rfind("30")))).empty());
  }

  TEST_CASE("system tables are checked for their user field") {
    Host host{.kind = TableKind::kSystem,
              .context = {.user_exists = [](std::string_view name) { return name == "root"; }}};
    CHECK(codes(lint("0 3 * * * root /bin/x\n", host)).empty());
    CHECK(codes(lint("0 3 * * * /bin/x -a\n", host)) == "L16w1");
    CHECK(codes(lint("0 3 * * * /bin/x\n", host)) == "L20w1 L16e1");
    CHECK(codes(lint("0 3 * * * deploy /bin/x\n", host)) == "L17w1");
  }

  TEST_CASE("a command outside of the daemon's PATH is found when programs are known") {
    Host host{.context = {.is_executable = [](std::string_view path) {
                return path == "/usr/sbin/zpool" || path == "/usr/bin/find";
              }}};
    CHECK(codes(lint("0 3 * * * find /tmp\n", host)).empty());
    CHECK(codes(lint("0 3 * * * zpool scrub a\n", host)) == "L13w1");
    CHECK(codes(lint("PATH=/usr/sbin\n0 3 * * * zpool scrub a\n", host)).empty());
    CHECK(codes(lint("0 3 * * * X=1 zpool scrub a\n", host)) == "L13w1");
    CHECK(codes(lint("0 3 * * * cd / && zpool\n", host)).empty());
    CHECK(codes(lint("0 3 * * * test -x /a && b\n", host)).empty());
    host.dialect = Dialect::kCronie;
    CHECK(codes(lint("0 3 * * * zpool scrub a\n", host)).empty());
  }

  TEST_CASE("times in a coming clock change are found in the zone of the entry") {
    Host host;
    host.context.zone = *load_zone("Europe/Berlin");
    CHECK(codes(lint("30 2 * * * /bin/x\n", host)) == "L15w1");
    CHECK(codes(lint("*/15 2 * * * /bin/x\n", host)) == "L15w1");
    CHECK(codes(lint("30 4 * * * /bin/x\n", host)).empty());
    CHECK(codes(lint("30 * * * * /bin/x\n", host)).empty());
    CHECK(codes(lint("30 2 1 1 * /bin/x\n", host)).empty());
    CHECK(codes(lint("30 2 * * * /bin/x\n")).empty());
    const auto items = lint("*/15 2 * * * /bin/x\n", host);
    REQUIRE(items.size() == 1);
    CHECK(items[0].message.find("2026-03-29T01:00:00Z") != std::string::npos);
    host.dialect = Dialect::kCronie;
    CHECK(codes(lint("CRON_TZ=Asia/Tokyo\n30 2 * * * /bin/x\n", host)).empty());
  }

  TEST_CASE("facts about file and host are reported") {
    Host host{.kind = TableKind::kSystem};
    host.context.file_name = "job.conf";
    CHECK(codes(lint("", host)) == "L18w0");
    host.context.file_name = "job";
    host.context.stat = StatFacts{.mode = 0666};
    CHECK(codes(lint("", host)) == "L18w0");
    host.context.stat->mode = 0644;
    host.context.has_mta = false;
    CHECK(codes(lint("", host)) == "L21i0");
    CHECK(codes(lint("MAILTO=root\n", host)) == "L21w1");
    CHECK(codes(lint("MAILTO=\"\"\n", host)).empty());
  }

  TEST_CASE("no lint about accepted text is more than a warning") {
    const std::string text =
        "FOO=a # c\n0 0 30 2 * x\n5;3 * * * * date +%F\n*/7 */5 */2 * 1 root x\n";
    for (const LintItem& item : lint(text)) {
      CAPTURE(item.code);
      CHECK(item.severity != Severity::kError);
      CHECK_FALSE(item.message.empty());
    }
  }
}

}  // namespace
}  // namespace distcron::cron

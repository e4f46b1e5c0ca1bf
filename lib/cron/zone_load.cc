// SPDX-License-Identifier: Apache-2.0
// The only file that includes <date/tz.h>. The library knows the names and reads the table of a
// zone file; it stops at the table's end (2037), so the rule behind the table is read here.
// Its exceptions end here.
#include <array>
#include <cstdio>
#include <memory>

#include <date/tz.h>

#include "base/suggest.h"
#include "cron/calendar.h"
#include "cron/posix_rule.h"
#include "cron/zone.h"

namespace distcron::cron {

namespace {

/// Last year for which clock changes are computed: 50 years of next() behind 2250.
constexpr int kRuleYearMax = 2300;
constexpr std::array kZoneFolders = {"/usr/share/zoneinfo/", "/usr/lib/zoneinfo/",
                                     "/usr/share/lib/zoneinfo/"};

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

FileHandle open_in_zone_folder(const std::string& name) {
  for (const char* folder : kZoneFolders) {
    if (FileHandle file{std::fopen((folder + name).c_str(), "re")}) return file;
  }
  return nullptr;
}

/// "localtime" is a link to the host's own zone and means something else on each host.
bool is_portable(std::string_view name) {
  return name != "localtime";
}

/// The last line of a TZif file of version 2 or later, or "".
std::string read_rule_line(const std::string& name) {
  constexpr long kTail = 256;
  const FileHandle file = open_in_zone_folder(name);
  if (!file || std::fseek(file.get(), 0, SEEK_END) != 0) return {};
  const long size = std::ftell(file.get());
  if (size <= 0 || std::fseek(file.get(), size > kTail ? size - kTail : 0, SEEK_SET) != 0)
    return {};
  std::array<char, kTail> bytes{};
  const std::size_t length = std::fread(bytes.data(), 1, bytes.size(), file.get());
  std::string_view tail(bytes.data(), length);
  if (tail.empty() || tail.back() != '\n') return {};
  tail.remove_suffix(1);
  const auto start = tail.rfind('\n');
  return start == std::string_view::npos ? std::string() : std::string(tail.substr(start + 1));
}

std::vector<Zone::Change> read_changes(const date::time_zone& zone) {
  std::vector<Zone::Change> changes;
  const auto horizon = date::sys_seconds(date::sys_days(date::year(kRuleYearMax) / 1 / 1));
  auto at = date::sys_seconds(date::sys_days(date::year(1700) / 1 / 1));
  while (at < horizon) {
    const date::sys_info info = zone.get_info(at);
    changes.push_back({at.time_since_epoch().count(),
                       static_cast<std::int32_t>(info.offset.count()), info.abbrev});
    at = info.end;
  }
  return changes;
}

/// Appends the rule's changes after the last one of the table.
void append_rule(std::vector<Zone::Change>& changes, std::string_view rule) {
  const std::int64_t table_end = changes.back().at;
  const int year = civil_from_days(floor_div(table_end, kSecondsPerDay)).year;
  for (Zone::Change& change : expand_posix_rule(rule, year - 1, kRuleYearMax)) {
    if (change.at > changes.back().at) changes.push_back(std::move(change));
  }
}

/// Drops entries that change nothing, so that next() has fewer segments to look at.
std::vector<Zone::Change> without_repeats(const std::vector<Zone::Change>& changes) {
  std::vector<Zone::Change> kept;
  for (const Zone::Change& change : changes) {
    const bool same = !kept.empty() && kept.back().offset == change.offset &&
                      kept.back().abbreviation == change.abbreviation;
    if (!same) kept.push_back(change);
  }
  return kept;
}

tl::unexpected<Error> unknown_zone(const std::string& name) {
  const std::vector<std::string> near = suggest(name, zone_names());
  return fail_hint(ErrorCode::kInvalid, "unknown time zone \"" + name + "\"",
                   near.empty() ? "names are like Europe/Berlin; see /usr/share/zoneinfo"
                                : "did you mean " + near.front() + "?");
}

}  // namespace

Result<std::shared_ptr<const Zone>> load_zone(std::string_view name) {
  if (name == "UTC") return Zone::utc();
  const std::string wanted(name);
  try {
    const date::tzdb& database = date::get_tzdb();
    const date::time_zone* found = nullptr;
    for (const date::time_zone& zone : database.zones) {
      if (zone.name() == wanted && is_portable(wanted)) found = &zone;
    }
    if (found == nullptr) return unknown_zone(wanted);
    std::vector<Zone::Change> changes = read_changes(*found);
    append_rule(changes, read_rule_line(wanted));
    return std::make_shared<const Zone>(wanted, without_repeats(changes));
  } catch (const std::exception& error) {
    return fail_hint(ErrorCode::kUnavailable,
                     "cannot read time zone \"" + wanted + "\": " + error.what(),
                     "install the package tzdata");
  }
}

std::vector<std::string> zone_names() {
  std::vector<std::string> names;
  try {
    for (const date::time_zone& zone : date::get_tzdb().zones) {
      if (is_portable(zone.name())) names.push_back(zone.name());
    }
  } catch (const std::exception&) {
    names.clear();  // No tzdata: there are no names to offer.
  }
  return names;
}

std::string tzdata_version() {
  std::array<char, 64> line{};
  for (const char* name : {"tzdata.zi", "+VERSION"}) {
    const FileHandle file = open_in_zone_folder(name);
    if (!file || std::fgets(line.data(), static_cast<int>(line.size()), file.get()) == nullptr) {
      continue;
    }
    std::string_view text(line.data());
    constexpr std::string_view kPrefix = "# version ";
    if (text.substr(0, kPrefix.size()) == kPrefix) text.remove_prefix(kPrefix.size());
    while (!text.empty() && text.back() <= ' ')
      text.remove_suffix(1);
    if (!text.empty()) return std::string(text);
  }
  return "unknown";
}

}  // namespace distcron::cron

// SPDX-License-Identifier: Apache-2.0
#include "ctl/output.h"

#include <array>

namespace distcron::ctl {
namespace {

/// For a count of days since 1970-01-01, which was a Thursday.
std::string_view weekday_name(std::int64_t days) {
  static constexpr std::array<std::string_view, 7> kNames{"Thu", "Fri", "Sat", "Sun",
                                                          "Mon", "Tue", "Wed"};
  const std::int64_t index = ((days % 7) + 7) % 7;
  return kNames[static_cast<std::size_t>(index)];
}

}  // namespace

const std::vector<std::string>& format_names() {
  static const std::vector<std::string> kNames{"table", "wide", "json", "jsonl",
                                               "toml",  "tsv",  "name"};
  return kNames;
}

std::optional<Format> parse_format(std::string_view name) {
  for (std::size_t i = 0; i < format_names().size(); ++i) {
    if (format_names()[i] == name) return static_cast<Format>(i);
  }
  return std::nullopt;
}

void Output::line(std::string_view text) {
  streams_.out(std::string(text) + "\n");
}

void Output::problem(std::string_view text) {
  streams_.err(std::string(text) + "\n");
}

void Output::talk(std::string_view text) {
  if (!options_.quiet) problem(text);
}

void Output::hint(std::string_view text) {
  if (streams_.err_tty) talk(text);
}

Status Output::table(Table table, const std::vector<std::string>& names) {
  if (options_.format == Format::kToml) {
    return fail_hint(ErrorCode::kInvalid, "-o toml is for jobs only", "with show and export");
  }
  if (options_.format == Format::kName) {
    for (const std::string& name : names)
      line(name);
    return {};
  }
  if (!options_.columns.empty()) DC_CHECK_OK(choose_columns(table, options_.columns));
  if (options_.format == Format::kTsv) {
    write(format_tsv(table, options_.header));
    return {};
  }
  TableStyle style;
  style.width = streams_.out_tty ? streams_.width : 0;
  style.header = options_.header;
  style.wide = options_.format == Format::kWide || !options_.columns.empty();
  style.bold_header = options_.out_color;
  page(format_table(std::move(table), style));
  return {};
}

void Output::json_object(std::string_view kind, std::string_view object) {
  std::string text = R"({"apiVersion":"v1","kind":")" + std::string(kind) + '"';
  const std::string_view inner = object.substr(1);
  if (inner != "}") text += ',';
  line(text + std::string(inner));
}

void Output::json_list(std::string_view kind, const std::vector<std::string>& items,
                       std::string_view extra) {
  if (options_.format == Format::kJsonl) {
    for (const std::string& item : items)
      line(item);
    return;
  }
  std::string text = R"({"apiVersion":"v1","kind":")" + std::string(kind) + R"(","items":[)";
  for (std::size_t i = 0; i < items.size(); ++i)
    text += (i > 0 ? ",\n" : "\n") + items[i];
  line(text + "]" + std::string(extra) + "}");
}

std::string Output::time(WallTime at) const {
  std::string text = cron::format_local(at, *options_.zone);
  if (text.size() > 19 && text.compare(16, 3, ":00") == 0) text.erase(16, 3);
  return text;
}

std::string Output::time(const std::optional<WallTime>& at) const {
  return at ? time(*at) : "-";
}

std::string Output::day_time(WallTime at) const {
  const std::int64_t local = epoch_seconds(at) + options_.zone->local_offset(at).count();
  const std::int64_t days = local / 86'400 - (local % 86'400 < 0 ? 1 : 0);
  return std::string(weekday_name(days)) + " " + time(at);
}

std::string Output::paint(std::string_view sgr, std::string_view text) const {
  if (!options_.out_color) return std::string(text);
  return "\x1b[" + std::string(sgr) + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace distcron::ctl

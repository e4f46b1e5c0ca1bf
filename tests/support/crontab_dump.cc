// SPDX-License-Identifier: Apache-2.0
// Test program: parses crontab files and prints what was understood, one JSON object per line.
//   crontab_dump DIALECT user|system|root [--users a,b,c] [--lint] FILE...   ("-" reads stdin)
// Kinds of output lines: {"file",...} with the verdict on the file, {"line",...} for each line
// that is neither blank nor comment, and with --lint {"lint",...}.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "cron/crontab.h"
#include "cron/lint.h"

namespace {

using namespace distcron::cron;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {  // bytes as Latin-1, so that any input is valid JSON
      char buffer[8];
      (void)std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(byte));
      out += buffer;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string bits(std::uint64_t mask) {
  std::string out = "[";
  for (unsigned i = 0; i < 64; ++i) {
    if (((mask >> i) & 1U) == 0) continue;
    if (out.size() > 1) out += ',';
    out += std::to_string(i);
  }
  return out + "]";
}

std::string_view kind_name(LineKind kind) {
  switch (kind) {
    case LineKind::kBlank:
      return "blank";
    case LineKind::kComment:
      return "comment";
    case LineKind::kEnv:
      return "env";
    case LineKind::kEntry:
      return "entry";
    case LineKind::kRefused:
      return "refused";
  }
  return "";
}

void print_entry(const CrontabEntry& entry) {
  const Schedule& s = entry.schedule;
  const bool either_day = !s.has(Schedule::kDayStar) && !s.has(Schedule::kWeekdayStar);
  std::cout << ",\"schedule\":" << quoted(entry.schedule_text) << ",\"user\":" << quoted(entry.user)
            << ",\"command_text\":" << quoted(entry.command_text)
            << ",\"command\":" << quoted(entry.command) << ",\"stdin\":" << quoted(entry.stdin_text)
            << ",\"tz\":" << quoted(entry.tz)
            << ",\"quiet\":" << (entry.is_quiet ? "true" : "false")
            << ",\"reboot\":" << (s.kind == ScheduleKind::kReboot ? "true" : "false")
            << ",\"minutes\":" << bits(s.minutes) << ",\"hours\":" << bits(s.hours)
            << ",\"days\":" << bits(s.days) << ",\"months\":" << bits(s.months)
            << ",\"weekdays\":" << bits(s.weekdays)
            << ",\"either_day\":" << (either_day ? "true" : "false") << ",\"env\":{";
  bool is_first = true;
  for (const EnvVar& var : *entry.env) {
    std::cout << (is_first ? "" : ",") << quoted(var.name) << ":" << quoted(var.value);
    is_first = false;
  }
  std::cout << "}";
}

void print_line(const CrontabLine& line) {
  if (line.kind == LineKind::kBlank || line.kind == LineKind::kComment) return;
  std::cout << "{\"line\":" << line.number << ",\"kind\":\"" << kind_name(line.kind) << "\"";
  if (line.kind == LineKind::kEntry) print_entry(line.entry);
  if (line.kind == LineKind::kEnv) {
    std::cout << ",\"name\":" << quoted(line.env.name) << ",\"value\":" << quoted(line.env.value);
  }
  if (line.kind == LineKind::kRefused) {
    std::cout << ",\"column\":" << line.column << ",\"error\":" << quoted(line.error);
  }
  std::cout << "}\n";
}

void print_file(const std::string& path, const CrontabOptions& options, bool wants_lint) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
  } else {
    text << std::ifstream(path, std::ios::binary).rdbuf();
  }
  const CrontabFile file = parse_crontab(text.str(), options);
  std::cout << "{\"file\":" << quoted(path)
            << ",\"ignored\":" << (file.daemon_ignores_file ? "true" : "false")
            << ",\"fault_line\":" << file.fault_line << ",\"fault\":" << quoted(file.fault_text)
            << "}\n";
  for (const CrontabLine& line : file.lines)
    print_line(line);
  if (!wants_lint) return;
  LintContext context;
  context.zone = Zone::utc();
  for (const LintItem& item : lint_crontab(file, context)) {
    std::cout << "{\"lint\":" << quoted(item.code)
              << ",\"severity\":" << quoted(name_of(item.severity)) << ",\"line\":" << item.line
              << ",\"column\":" << item.column << ",\"message\":" << quoted(item.message) << "}\n";
  }
}

int usage() {
  std::cerr << "usage: crontab_dump DIALECT user|system|root [--users a,b] [--lint] FILE...\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 3) return usage();
  const auto dialect = parse_dialect(args[0]);
  if (!dialect) return usage();
  CrontabOptions options;
  options.dialect = *dialect;
  options.kind = args[1] == "system" ? TableKind::kSystem : TableKind::kUser;
  options.owner_is_root = args[1] == "root";
  bool wants_lint = false;
  std::set<std::string, std::less<>> users;
  std::ios::sync_with_stdio(false);
  for (std::size_t i = 2; i < args.size(); ++i) {
    if (args[i] == "--lint") {
      wants_lint = true;
    } else if (args[i] == "--users" && i + 1 < args.size()) {
      std::istringstream list(args[++i]);
      for (std::string user; std::getline(list, user, ',');)
        users.insert(user);
      options.user_exists = [&users](std::string_view name) {
        return users.find(name) != users.end();
      };
    } else {
      print_file(args[i], options, wants_lint);
    }
  }
  return 0;
}

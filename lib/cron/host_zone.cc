// SPDX-License-Identifier: Apache-2.0
// The name of the host's own zone: the one place of this module that looks at the environment.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>

#include "cron/zone.h"

namespace distcron::cron {

namespace {

constexpr std::string_view kFolderMark = "zoneinfo/";

/// "Europe/Berlin" from "/usr/share/zoneinfo/Europe/Berlin"; "" when the mark is missing.
std::string name_in_path(std::string_view path) {
  const auto mark = path.rfind(kFolderMark);
  if (mark == std::string_view::npos) return {};
  std::string_view name = path.substr(mark + kFolderMark.size());
  for (const std::string_view prefix : {"posix/", "right/"}) {
    if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
  }
  return std::string(name);
}

std::string canonical_utc(std::string name) {
  if (name == "Etc/UTC" || name == "UCT" || name == "Zulu") return "UTC";
  return name;
}

std::string name_in_file(const char* path) {
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return {};
  std::array<char, 256> line{};
  const bool ok = std::fgets(line.data(), static_cast<int>(line.size()), file) != nullptr;
  std::fclose(file);
  std::string_view text(line.data());
  while (!text.empty() && text.back() <= ' ')
    text.remove_suffix(1);
  return ok ? std::string(text) : std::string();
}

}  // namespace

std::string host_zone_name() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): read before threads start, never set by us.
  if (const char* variable = std::getenv("TZ"); variable != nullptr && *variable != '\0') {
    std::string_view name(variable);
    if (name.front() == ':') name.remove_prefix(1);
    if (!name.empty() && name.front() == '/') return canonical_utc(name_in_path(name));
    if (!name.empty()) return canonical_utc(std::string(name));
  }
  std::error_code error;
  const auto target = std::filesystem::read_symlink("/etc/localtime", error);
  if (!error) {
    if (std::string name = name_in_path(target.string()); !name.empty()) return canonical_utc(name);
  }
  if (std::string name = name_in_file("/etc/timezone"); !name.empty()) return canonical_utc(name);
  return "UTC";
}

}  // namespace distcron::cron

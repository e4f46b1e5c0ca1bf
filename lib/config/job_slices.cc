// SPDX-License-Identifier: Apache-2.0
#include "config/job_slices.h"

#include <algorithm>
#include <cstddef>

namespace distcron::config {

namespace {

/// The lines of a text with their line ends.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    out.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

bool is_comment(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t");
  return first != std::string_view::npos && line[first] == '#';
}

}  // namespace

std::map<std::string, std::string> slice_jobs(std::string_view text,
                                              std::vector<TableStart> starts) {
  std::map<std::string, std::string> own;
  if (starts.empty()) return own;
  std::sort(starts.begin(), starts.end(),
            [](const TableStart& a, const TableStart& b) { return a.line < b.line; });
  const std::vector<std::string_view> lines = lines_of(text);
  std::string shared;
  std::string* part = &shared;  // what the lines before the next table belong to
  std::size_t at = 0;
  const auto append_until = [&](std::size_t end) {
    for (; at < end; ++at)
      *part += lines[at];
  };
  for (const TableStart& start : starts) {
    std::size_t begin = std::min<std::size_t>(start.line == 0 ? 0 : start.line - 1, lines.size());
    while (begin > at && is_comment(lines[begin - 1]))
      --begin;
    append_until(begin);
    part = start.job.empty() ? &shared : &own[start.job];
  }
  append_until(lines.size());
  for (auto& [job, job_text] : own)
    job_text.insert(0, shared);
  return own;
}

}  // namespace distcron::config

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
  std::vector<std::size_t> begins;  // index of the first line of each table's part
  for (const TableStart& start : starts) {
    std::size_t begin = std::min<std::size_t>(start.line == 0 ? 0 : start.line - 1, lines.size());
    const std::size_t floor = begins.empty() ? 0 : begins.back() + 1;
    while (begin > floor && is_comment(lines[begin - 1]))
      --begin;
    begins.push_back(begin);
  }
  std::string shared;
  const auto append = [&lines](std::string& out, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i)
      out += lines[i];
  };
  append(shared, 0, begins.front());
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t end = i + 1 < begins.size() ? begins[i + 1] : lines.size();
    append(starts[i].job.empty() ? shared : own[starts[i].job], begins[i], end);
  }
  for (auto& [job, part] : own)
    part.insert(0, shared);
  return own;
}

}  // namespace distcron::config

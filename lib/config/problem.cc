// SPDX-License-Identifier: Apache-2.0
#include "config/problem.h"

#include <algorithm>
#include <cstddef>

namespace distcron::config {

namespace {

constexpr std::size_t kShownBytesMax = 200;  // of a source line
constexpr std::size_t kGutter = 5;           // width of the line number

/// The start of the text without control characters; a tab becomes one blank, so that marks fit.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, kShownBytesMax));
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; }, ' ');
  return out;
}

std::string place(const Problem& problem) {
  std::string out = problem.origin;
  if (problem.line != 0) out += ':' + std::to_string(problem.line);
  if (problem.column != 0) out += ':' + std::to_string(problem.column);
  return out;
}

}  // namespace

std::string format_problem(const Problem& problem) {
  std::string out = place(problem) + ": " + problem.text;
  if (problem.source_line.empty()) {
    if (!problem.hint.empty()) out += "\n  " + problem.hint;
    return out;
  }
  std::string number = std::to_string(problem.line);
  number.insert(0, number.size() < kGutter ? kGutter - number.size() : 0, ' ');
  const std::string line = printable(problem.source_line);
  const std::size_t before = problem.column == 0 ? 0 : problem.column - 1;
  const std::size_t room = line.size() > before ? line.size() - before : 1;
  const std::size_t width = std::clamp<std::size_t>(problem.width, 1, room);
  out += '\n' + number + " | " + line;
  out += '\n' + std::string(number.size(), ' ') + " | ";
  out += std::string(std::min(before, line.size()), ' ') + std::string(width, '^');
  if (!problem.hint.empty()) out += ' ' + problem.hint;
  return out;
}

std::string format_problems(const std::vector<Problem>& problems) {
  std::string out;
  for (const Problem& problem : problems) {
    if (!out.empty()) out += '\n';
    out += format_problem(problem);
  }
  return out;
}

tl::unexpected<Error> fail_problems(const std::vector<Problem>& problems) {
  return fail(ErrorCode::kInvalid, format_problems(problems));
}

std::string line_of(std::string_view text, std::uint32_t number) {
  for (; number > 1; --number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return std::string(text);
}

}  // namespace distcron::config

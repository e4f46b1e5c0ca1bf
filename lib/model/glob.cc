// SPDX-License-Identifier: Apache-2.0
#include "model/glob.h"

#include <cstddef>

namespace distcron::model {

namespace {

constexpr std::size_t kNone = std::string_view::npos;

/// Place of the `]` that ends the set at `open`; a `]` right after `[` or `[!` is a member.
std::size_t set_end(std::string_view pattern, std::size_t open) {
  std::size_t from = open + 1;
  if (from < pattern.size() && (pattern[from] == '!' || pattern[from] == '^')) ++from;
  return pattern.find(']', from + 1);
}

bool set_has(std::string_view set, char c) {
  const bool negated = set.front() == '!' || set.front() == '^';
  if (negated) set.remove_prefix(1);
  const auto byte = static_cast<unsigned char>(c);
  for (std::size_t i = 0; i < set.size(); ++i) {
    const auto low = static_cast<unsigned char>(set[i]);
    auto high = low;
    if (i + 2 < set.size() && set[i + 1] == '-') {
      high = static_cast<unsigned char>(set[i + 2]);
      i += 2;
    }
    if (byte >= low && byte <= high) return !negated;
  }
  return negated;
}

/// Matches one byte against the item at `at` (never `*`); the place after the item, or kNone.
std::size_t match_one(std::string_view pattern, std::size_t at, char c) {
  const char item = pattern[at];
  if (item == '?') return at + 1;
  if (item == '[') {
    const std::size_t end = set_end(pattern, at);
    if (end != kNone) {
      return set_has(pattern.substr(at + 1, end - at - 1), c) ? end + 1 : kNone;
    }
  }
  if (item == '\\' && at + 1 < pattern.size()) return pattern[at + 1] == c ? at + 2 : kNone;
  return item == c ? at + 1 : kNone;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = kNone;  // after the last `*`, where to try again
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
      continue;
    }
    const std::size_t next = p < pattern.size() ? match_one(pattern, p, text[t]) : kNone;
    if (next != kNone) {
      p = next;
      ++t;
    } else if (star != kNone) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

bool is_glob(std::string_view pattern) {
  return pattern.find_first_of("*?[\\") != kNone;
}

}  // namespace distcron::model

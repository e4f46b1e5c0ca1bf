// SPDX-License-Identifier: Apache-2.0
#include "base/suggest.h"

#include <algorithm>
#include <utility>

namespace distcron {

namespace {
constexpr std::size_t kSuggestionsMax = 3;
constexpr std::size_t kWordMax = 128;  // longer words are never typing errors
}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> before(width);
  std::vector<std::size_t> last(width);
  std::vector<std::size_t> row(width);
  for (std::size_t j = 0; j < width; ++j)
    last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j < width; ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::vector<std::string> suggest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kWordMax) return {};
  std::vector<std::pair<std::size_t, const std::string*>> near;
  const std::size_t limit = std::max<std::size_t>(2, word.size() / 3);
  for (const std::string& name : known) {
    const std::size_t gap =
        name.size() > word.size() ? name.size() - word.size() : word.size() - name.size();
    if (gap > limit || name == word) continue;
    const std::size_t distance = edit_distance(word, name);
    if (distance <= limit && distance < std::max(word.size(), name.size())) {
      near.emplace_back(distance, &name);
    }
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& x, const auto& y) { return x.first < y.first; });
  std::vector<std::string> out;
  for (std::size_t i = 0; i < near.size() && i < kSuggestionsMax; ++i) {
    out.push_back(*near[i].second);
  }
  return out;
}

}  // namespace distcron

// SPDX-License-Identifier: Apache-2.0
#include "mesh/refusals.h"

#include <utility>

namespace distcron::mesh {

namespace {

constexpr std::array<std::string_view, kRefusalCount> kNames{
    "unknown_key",   "handshake",     "unauthenticated", "removed_key",
    "forged_sender", "malformed",     "too_many_parts",  "too_large",
    "other_version", "other_cluster", "old_incarnation", "old_boot",
    "old_term",      "second_leader", "forbidden",       "left"};

}  // namespace

std::string_view name_of(Refusal reason) {
  return kNames[static_cast<std::size_t>(reason)];
}

void Refusals::note(Refusal reason, std::string about) {
  Entry& entry = entries_[static_cast<std::size_t>(reason)];
  ++entry.tally.count;
  entry.tally.last = std::move(about);
  has_news_ = true;
}

std::vector<RefusalLine> Refusals::take_lines(MonoTime now, WallTime wall) {
  std::vector<RefusalLine> lines;
  if (!has_news_) return lines;
  has_news_ = false;
  for (std::size_t i = 0; i < kRefusalCount; ++i) {
    Entry& entry = entries_[i];
    Tally& tally = entry.tally;
    if (tally.count > std::exchange(entry.seen, tally.count)) tally.last_at = wall;
    if (tally.count == entry.logged || is_quiet(static_cast<Refusal>(i))) continue;
    if (now < entry.next_line) {
      has_news_ = true;  // later
      continue;
    }
    std::string line = "refused door=" + door_ + " reason=" + std::string(kNames[i]);
    if (!tally.last.empty()) line += " " + tally.last;
    line += " count=" + std::to_string(tally.count);
    const std::int64_t more = tally.count - entry.logged - 1;
    if (more > 0) line += " unlogged=" + std::to_string(more);
    lines.push_back({static_cast<Refusal>(i), std::move(line)});
    entry.logged = tally.count;
    entry.next_line = now + kLineEvery;
  }
  return lines;
}

}  // namespace distcron::mesh

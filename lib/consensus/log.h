// SPDX-License-Identifier: Apache-2.0
// Log: the entries in memory after a base that a snapshot contains, and every configuration that is
// active somewhere in them. Knows nothing of disks: what is durable is the business of Raft.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/result.h"
#include "consensus/message.h"

namespace distcron::consensus {

/// A configuration and the index of the entry that made it active.
struct ConfigPoint {
  Index index = 0;
  Config config;
};

class Log {
 public:
  /// An empty log after `base`. `config` was made active by the entry `config_index`.
  void reset(Index base_index, Term base_term, Config config, Index config_index);

  /// The entry must follow the last one. An entry of kind kConfig is active from now on (4.1).
  /// kInvalid: its data is no configuration; nothing is appended.
  [[nodiscard]] Status append(Entry entry);

  /// Removes `index` and all after it; a configuration among them is active no longer (4.1).
  void truncate_from(Index index);

  /// Forgets entries up to `index`, which becomes the base. `index` must be in the log.
  void compact(Index index);

  [[nodiscard]] Index base_index() const { return base_index_; }

  [[nodiscard]] Index last_index() const {
    return base_index_ + static_cast<Index>(entries_.size());
  }

  [[nodiscard]] Term last_term() const {
    return entries_.empty() ? base_term_ : entries_.back().term;
  }

  [[nodiscard]] bool has_term(Index index) const {
    return index >= base_index_ && index <= last_index();
  }

  /// Term of an entry or of the base; 0 when it is not known.
  [[nodiscard]] Term term_at(Index index) const;

  /// `index` must be after the base and not after the last.
  [[nodiscard]] const Entry& at(Index index) const {
    return entries_[static_cast<std::size_t>(index - base_index_ - 1)];
  }

  /// The highest index up to `index` whose term is at most `term`, not below the base.
  [[nodiscard]] Index last_not_after(Index index, Term term) const;

  [[nodiscard]] const ConfigPoint& config_point() const { return configs_.back(); }

  /// The configuration before the active one; the active one when there is no other.
  [[nodiscard]] const ConfigPoint& previous_config() const {
    return configs_.size() > 1 ? configs_[configs_.size() - 2] : configs_.back();
  }

  [[nodiscard]] const ConfigPoint& config_point_at(Index index) const;

 private:
  Index base_index_ = 0;
  Term base_term_ = 0;
  std::deque<Entry> entries_;
  std::vector<ConfigPoint> configs_{ConfigPoint{}};  ///< Never empty; the first is the base's.
};

/// What an entry weighs in limits: its data and what goes with it.
[[nodiscard]] inline std::uint64_t bytes_of(const Entry& entry) {
  return entry.data.size() + 16;
}

}  // namespace distcron::consensus

// SPDX-License-Identifier: Apache-2.0
#include "consensus/log.h"

#include <utility>

#include "base/mutant.h"
#include "consensus/codec.h"

namespace distcron::consensus {

void Log::reset(Index base_index, Term base_term, Config config, Index config_index) {
  base_index_ = base_index;
  base_term_ = base_term;
  entries_.clear();
  configs_.assign(1, ConfigPoint{config_index, std::move(config)});
}

Status Log::append(Entry entry) {
  if (entry.kind == EntryKind::kConfig) {
    DC_TRY(Config config, decode_config(entry.data));
    configs_.push_back(ConfigPoint{entry.index, std::move(config)});
  }
  entries_.push_back(std::move(entry));
  return {};
}

void Log::truncate_from(Index index) {
  while (last_index() >= index && !entries_.empty()) {
    entries_.pop_back();
  }
  if (mutant("config-no-rollback")) return;
  while (configs_.size() > 1 && configs_.back().index >= index) {
    configs_.pop_back();
  }
}

void Log::compact(Index index) {
  base_term_ = term_at(index);
  while (base_index_ < index && !entries_.empty()) {
    entries_.pop_front();
    ++base_index_;
  }
  while (configs_.size() > 1 && configs_[1].index <= index) {
    configs_.erase(configs_.begin());
  }
}

Term Log::term_at(Index index) const {
  if (!has_term(index)) return 0;
  return index == base_index_ ? base_term_ : at(index).term;
}

Index Log::last_not_after(Index index, Term term) const {
  if (index > last_index()) index = last_index();
  while (index > base_index_ && at(index).term > term) {
    --index;
  }
  return index < base_index_ ? base_index_ : index;
}

const ConfigPoint& Log::config_point_at(Index index) const {
  for (std::size_t i = configs_.size(); i > 1; --i) {
    if (configs_[i - 1].index <= index) return configs_[i - 1];
  }
  return configs_.front();
}

}  // namespace distcron::consensus

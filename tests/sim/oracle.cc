// SPDX-License-Identifier: Apache-2.0
// The invariants on one node's own steps. Those on elections, commits and messages between nodes
// are in oracle_cluster.cc.
#include "sim/oracle.h"

#include <algorithm>
#include <utility>

#include "consensus/codec.h"

namespace distcron::sim {

using consensus::Config;
using consensus::Entry;
using consensus::EntryKind;
using consensus::Index;
using consensus::Member;
using consensus::NodeId;
using consensus::Role;
using consensus::Term;

const Member* find_member(const Config& config, NodeId id) {
  const auto found = std::find_if(config.members.begin(), config.members.end(),
                                  [id](const Member& m) { return m.id == id; });
  return found == config.members.end() ? nullptr : &*found;
}

void Oracle::fail(std::string invariant, std::string text) {
  if (violation_) return;
  violation_ = Violation{.invariant = std::move(invariant), .text = std::move(text), .at = now};
}

void Oracle::add_node(NodeId id, Disk& disk) {
  View& v = view(id);
  v.disk = &disk;
  disk.on_replace = [this, id](Index from) { on_replace(id, from); };
  disk.on_durable = [this, id](const DiskWrite& write) { on_durable(id, write); };
  disk.on_error = [this, id](const char* text) {
    fail("log_contiguity", "node " + std::to_string(id) + ": " + text);
  };
  if (committed_configs_.empty() && !disk.raft_db().base_config.members.empty()) {
    committed_configs_.push_back(ConfigAt{.index = 0, .config = disk.raft_db().base_config});
  }
}

void Oracle::mirror_disk(View& v) const {
  const RaftDb& db = v.disk->raft_db();
  v.hard = db.hard;
  v.base = db.base_index;
  v.base_term = db.base_term;
  v.configs.assign(1, ConfigAt{.index = db.base_config_index, .config = db.base_config});
  v.log.clear();
  for (const Entry& entry : db.entries) {
    v.log.push_back(Slot{.term = entry.term, .digest = digest_of(entry)});
    if (entry.kind != EntryKind::kConfig) continue;
    if (auto config = consensus::decode_config(entry.data); config) {
      v.configs.push_back(ConfigAt{.index = entry.index, .config = *std::move(config)});
    }
  }
}

void Oracle::on_start(NodeId id, const consensus::Raft& raft) {
  View& v = view(id);
  v.raft = &raft;
  v.is_full = false;
  ++v.boot;
  v.role = Role::kFollower;
  v.role_term = v.disk->raft_db().hard.term;
  v.delivered = v.disk->state_db().applied;
  v.commit = v.delivered;
  mirror_disk(v);
  trace_.add({.at = now,
              .mark = Mark::kRestart,
              .a = id,
              .b = v.base,
              .c = v.last(),
              .term = v.hard.term});
  if (raft.term() != v.hard.term || raft.vote() != v.hard.vote) {
    fail("forgotten_vote", "node " + std::to_string(id) + " starts in term " +
                               std::to_string(raft.term()) + ", its disk says " +
                               std::to_string(v.hard.term));
  }
  check_commit(id);
  check_config(id);
}

void Oracle::on_crash(NodeId id) {
  view(id).raft = nullptr;
}

void Oracle::on_disk_full(NodeId id, bool is_full) {
  view(id).is_full = is_full;
}

void Oracle::on_step(NodeId id, const consensus::Ready& ready) {
  if (violation_) return;
  if (!ready.violation.empty())
    fail("self_check", "node " + std::to_string(id) + ": " + ready.violation);
  if (ready.hard) check_hard(id, ready);
  if (!ready.entries.empty()) check_entries(id, ready);
  View& v = view(id);
  if (v.is_full && v.raft->last_index() < v.last()) cut_mirror(v, v.raft->last_index() + 1);
  const bool is_in_memory = !v.is_full;
  if (is_in_memory && (v.raft->term() != v.hard.term || v.raft->vote() != v.hard.vote)) {
    fail("unwritten_vote", "node " + std::to_string(id) + " is in term " +
                               std::to_string(v.raft->term()) + " but asked to store term " +
                               std::to_string(v.hard.term));
  }
  if (is_in_memory && v.raft->last_index() != v.last()) {
    fail("unwritten_log", "node " + std::to_string(id) + " has a log up to " +
                              std::to_string(v.raft->last_index()) + " but asked to store up to " +
                              std::to_string(v.last()));
  }
  check_commit(id);
  check_role(id);
  if (!ready.committed.empty()) check_committed(id, ready);
  if (!ready.entries.empty() && is_in_memory) check_config(id);
  if (v.role == Role::kLeader) check_scheduler(id);
}

void Oracle::check_hard(NodeId id, const consensus::Ready& ready) {
  View& v = view(id);
  const consensus::HardState& hard = *ready.hard;
  const bool is_back = hard.term < v.hard.term;
  const bool is_second = hard.term == v.hard.term && v.hard.vote != 0 && hard.vote != v.hard.vote;
  if (is_back) {
    fail("term_monotone", "node " + std::to_string(id) + " goes back from term " +
                              std::to_string(v.hard.term) + " to " + std::to_string(hard.term));
  }
  if (is_second) {
    fail("one_vote", "node " + std::to_string(id) + " votes twice in term " +
                         std::to_string(hard.term) + ": for " + std::to_string(v.hard.vote) +
                         " and " + std::to_string(hard.vote));
  }
  v.hard = hard;
}

void Oracle::cut_mirror(View& v, Index from) {
  v.log.resize(static_cast<std::size_t>(std::max<Index>(from - v.base - 1, 0)));
  while (v.configs.size() > 1 && v.configs.back().index >= from)
    v.configs.pop_back();
}

void Oracle::check_entries(NodeId id, const consensus::Ready& ready) {
  View& v = view(id);
  const Index first = ready.entries.front().index;
  if (first <= v.base || first > v.last() + 1) {
    fail("log_contiguity", "node " + std::to_string(id) + " stores entry " + std::to_string(first) +
                               " in a log of " + std::to_string(v.base) + ".." +
                               std::to_string(v.last()));
    return;
  }
  if (first <= v.last()) {
    trace_.add({.at = now, .mark = Mark::kTruncate, .a = id, .b = first - 1});
    trace_.marks.add(Situation::kEntriesReplaced);
    const bool has_config = v.configs.size() > 1 && v.configs.back().index >= first;
    if (has_config) trace_.marks.add(Situation::kConfigRolledBack);
    // Entries written again are no truncation.
    const bool is_same = v.term_at(first) == ready.entries.front().term;
    if (!is_same && first <= v.commit) {
      fail("commit_monotone", "node " + std::to_string(id) + " replaces entry " +
                                  std::to_string(first) + ", which it holds for committed");
    }
    v.log.resize(static_cast<std::size_t>(first - v.base - 1));
    while (v.configs.size() > 1 && v.configs.back().index >= first)
      v.configs.pop_back();
  }
  for (const Entry& entry : ready.entries) {
    const Term prev = v.term_at(v.last());
    if (entry.index != v.last() + 1 || entry.term < prev || entry.term > v.hard.term) {
      fail("log_contiguity", "node " + std::to_string(id) + " stores entry " +
                                 std::to_string(entry.index) + " of term " +
                                 std::to_string(entry.term) + " after " + std::to_string(v.last()) +
                                 " of term " + std::to_string(prev));
      return;
    }
    note_created(id, entry, prev);
    v.log.push_back(Slot{.term = entry.term, .digest = digest_of(entry)});
    if (entry.kind != EntryKind::kConfig) continue;
    auto config = consensus::decode_config(entry.data);
    if (!config) {
      fail("config", "entry " + std::to_string(entry.index) + " is no configuration");
      return;
    }
    trace_.add({.at = now,
                .mark = Mark::kConfig,
                .a = id,
                .b = entry.index,
                .c = static_cast<std::int64_t>(config->members.size())});
    v.configs.push_back(ConfigAt{.index = entry.index, .config = *std::move(config)});
  }
}

/// Log matching (3.5): index and term name one entry with one predecessor, for ever. By induction
/// equal (index, term) then means equal logs up to there.
void Oracle::note_created(NodeId id, const Entry& entry, Term prev) {
  const auto at = static_cast<std::size_t>(entry.index);
  if (created_at_.size() <= at) created_at_.resize(at + 64, -1);
  const std::uint64_t digest = digest_of(entry);
  for (std::int32_t i = created_at_[at]; i >= 0; i = created_[static_cast<std::size_t>(i)].next) {
    const Created& known = created_[static_cast<std::size_t>(i)];
    if (known.term != entry.term) continue;
    if (known.digest != digest || known.prev_term != prev) {
      fail("log_matching", "node " + std::to_string(id) + " stores another entry " +
                               std::to_string(entry.index) + " of term " +
                               std::to_string(entry.term) + " than exists already");
    }
    return;
  }
  created_.push_back(
      Created{.term = entry.term, .prev_term = prev, .digest = digest, .next = created_at_[at]});
  created_at_[at] = static_cast<std::int32_t>(created_.size()) - 1;
  const View& v = view(id);
  if (v.raft->role() != Role::kLeader || v.raft->term() != entry.term) {
    fail("log_matching", "node " + std::to_string(id) + " stores entry " +
                             std::to_string(entry.index) + " of term " +
                             std::to_string(entry.term) + ", which no leader has made");
  }
  if (entry.kind == EntryKind::kConfig) check_new_config(id, entry);
}

/// 4.1 and the erratum of 2015: one member at a time, not before the last change and an entry of
/// the leader's own term are committed.
void Oracle::check_new_config(NodeId id, const Entry& entry) {
  const View& v = view(id);
  const auto next = consensus::decode_config(entry.data);
  if (!next) return;
  made_configs_.push_back(ConfigAt{.index = entry.index, .config = *next});
  const ConfigAt& last = v.configs.back();
  const Index commit = v.raft->commit_index();
  const std::string what =
      "node " + std::to_string(id) + " makes configuration " + std::to_string(entry.index);
  if (last.index > commit) {
    fail("one_change", what + " before " + std::to_string(last.index) + " is committed");
  }
  if (v.term_at(commit) != entry.term) {
    fail("one_change", what + " before an entry of its term is committed");
  }
  std::size_t differences = 0;
  for (const Member& m : next->members) {
    const Member* before = find_member(last.config, m.id);
    if (before == nullptr || *before != m) ++differences;
  }
  for (const Member& m : last.config.members) {
    if (find_member(*next, m.id) == nullptr) ++differences;
  }
  if (differences > 1) fail("one_change", what + ", which changes several members");
  if (std::none_of(next->members.begin(), next->members.end(),
                   [](const Member& m) { return m.kind == consensus::MemberKind::kVoter; })) {
    fail("one_change", what + ", which has no voter");
  }
}

/// A configuration counts as soon as it is in the log, and no longer when it is not (4.1).
void Oracle::check_config(NodeId id) {
  const View& v = view(id);
  if (v.raft->config() == v.configs.back().config) return;
  fail("config", "node " + std::to_string(id) +
                     " does not go by the last configuration in its log, " +
                     std::to_string(v.configs.back().index));
}

void Oracle::check_committed(NodeId id, const consensus::Ready& ready) {
  View& v = view(id);
  for (const Entry& entry : ready.committed) {
    const std::string what =
        "node " + std::to_string(id) + " would apply entry " + std::to_string(entry.index);
    if (entry.index != v.delivered + 1) {
      fail("apply_order", what + " after " + std::to_string(v.delivered));
      return;
    }
    v.delivered = entry.index;
    if (entry.index > committed_index()) {
      fail("state_machine_safety", what + ", which is not committed");
      return;
    }
    const Committed& known = committed_[static_cast<std::size_t>(entry.index)];
    if (known.term != entry.term || known.digest != digest_of(entry)) {
      fail("state_machine_safety", what + " of term " + std::to_string(entry.term) +
                                       "; committed is that of term " + std::to_string(known.term));
    }
    if (!has_durable(id, entry.index, entry.term)) {
      fail("apply_durable", what + ", which is not on its disk");
    }
  }
}

void Oracle::on_applied(NodeId id, const Machine& machine) {
  const Index index = machine.applied;
  if (index > committed_index()) return;  // reported before
  if (committed_[static_cast<std::size_t>(index)].chain != machine.digest) {
    fail("state_machine_safety", "node " + std::to_string(id) + " has another state at entry " +
                                     std::to_string(index) + " than the log gives");
  }
}

void Oracle::on_installed(NodeId id, const Machine& machine) {
  View& v = view(id);
  trace_.add({.at = now, .mark = Mark::kInstalled, .a = id, .b = machine.applied});
  ++installs_;
  trace_.marks.add(Situation::kSnapshotInstalled);
  const std::string what = "node " + std::to_string(id) + " has installed a snapshot of " +
                           std::to_string(machine.applied);
  if (machine.applied < v.delivered) fail("apply_order", what + " over newer state");
  if (machine.applied > committed_index() ||
      committed_[static_cast<std::size_t>(machine.applied)].chain != machine.digest ||
      committed_[static_cast<std::size_t>(machine.applied)].term != machine.term) {
    fail("state_machine_safety", what + ", which is not the committed state");
    return;
  }
  const auto after = std::find_if(committed_configs_.begin(), committed_configs_.end(),
                                  [&](const ConfigAt& c) { return c.index > machine.applied; });
  // A member that joined has not seen the configuration from before the log.
  if (!machine.config.members.empty() && after != committed_configs_.begin() &&
      std::prev(after)->config != machine.config) {
    fail("config", what + " with another configuration than the log gives");
  }
  v.delivered = machine.applied;
  v.commit = std::max(v.commit, machine.applied);
  const consensus::HardState hard = v.hard;
  mirror_disk(v);
  v.hard = hard;
}

Oracle::Frozen Oracle::freeze(NodeId id) const {
  const consensus::Raft& raft = *view(id).raft;
  return Frozen{.term = raft.term(),
                .role = raft.role(),
                .vote = raft.vote(),
                .leader = raft.leader(),
                .commit = raft.commit_index(),
                .last = raft.last_index()};
}

void Oracle::before_forged(NodeId id) {
  frozen_ = freeze(id);
}

void Oracle::after_forged(NodeId id) {
  if (freeze(id) == frozen_) return;
  fail("forged", "node " + std::to_string(id) + " obeys a message of another cluster or life");
}

const Config& Oracle::committed_config() const {
  return committed_configs_.back().config;
}

std::vector<Config> Oracle::open_configs() const {
  std::vector<Config> open;
  for (const ConfigAt& c : made_configs_) {
    if (c.index > committed_index()) open.push_back(c.config);
  }
  return open;
}

const Config& Oracle::config_of(NodeId id) const {
  return view(id).configs.back().config;
}

}  // namespace distcron::sim

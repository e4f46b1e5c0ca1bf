// SPDX-License-Identifier: Apache-2.0
// The judge: sees every node's core, every disk and every message, and knows nothing of how the
// core works. Checks what Raft promises after each event, only what that event can have changed.
// Names of invariants (see oracle.cc) stand in reports; sections are of Ongaro's dissertation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consensus/raft.h"
#include "sim/disk.h"
#include "sim/machine.h"
#include "sim/script.h"
#include "sim/trace.h"

namespace distcron::sim {

struct Violation {
  std::string invariant;  ///< One word, the same for every seed.
  std::string text;
  SimTime at = 0;
};

class Oracle {
 public:
  explicit Oracle(Trace& trace) : trace_(trace) {}

  SimTime now = 0;
  /// No clock of a node runs wrong and no leadership is handed over: leases must be exact.
  bool is_lease_exact = false;

  void add_node(consensus::NodeId id, Disk& disk);
  /// The process of a node begins with what its disk kept.
  void on_start(consensus::NodeId id, const consensus::Raft& raft);
  void on_crash(consensus::NodeId id);
  /// The core has made a step; nothing of `ready` has been done yet.
  void on_step(consensus::NodeId id, const consensus::Ready& ready);
  void on_disk_full(consensus::NodeId id, bool is_full);
  void on_send(const consensus::Message& message);
  void on_applied(consensus::NodeId id, const Machine& machine);
  void on_installed(consensus::NodeId id, const Machine& machine);
  /// A forged message must change nothing.
  void before_forged(consensus::NodeId id);
  void after_forged(consensus::NodeId id);

  void fail(std::string invariant, std::string text);

  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }

  // What is known to be committed.
  [[nodiscard]] consensus::Index committed_index() const {
    return static_cast<consensus::Index>(committed_.size()) - 1;
  }

  [[nodiscard]] const consensus::Config& committed_config() const;

  /// The last leader to be elected, of any term; 0: none. May have lost it.
  [[nodiscard]] consensus::NodeId newest_leader() const { return newest_leader_; }

  [[nodiscard]] std::int64_t elections() const { return elections_; }

  [[nodiscard]] std::int64_t installs() const { return installs_; }

  [[nodiscard]] std::int64_t changes() const {
    return static_cast<std::int64_t>(committed_configs_.size()) - 1;
  }

  /// Configurations that exist somewhere and may yet be committed, besides the last one that is.
  [[nodiscard]] std::vector<consensus::Config> open_configs() const;
  /// Config in force at a node by its own log.
  [[nodiscard]] const consensus::Config& config_of(consensus::NodeId id) const;

 private:
  struct Slot {
    consensus::Term term = 0;
    std::uint64_t digest = 0;
  };

  struct ConfigAt {
    consensus::Index index = 0;
    consensus::Config config;
  };

  /// An entry that exists or existed somewhere.
  struct Created {
    consensus::Term term = 0;
    consensus::Term prev_term = 0;
    std::uint64_t digest = 0;
    std::int32_t next = -1;  ///< Another term's at the same index.
  };

  struct Committed {
    consensus::Term term = 0;
    consensus::Term by = 0;  ///< Of the leader that committed it.
    std::uint64_t digest = 0;
    std::uint64_t chain = 0;  ///< Digest of all entries up to here.
  };

  struct Vote {
    consensus::Term term = 0;
    consensus::NodeId vote = 0;
  };

  /// A node as we know it from what it asked its owner to do.
  struct View {
    Disk* disk = nullptr;
    const consensus::Raft* raft = nullptr;  ///< Null while it is down.
    std::uint32_t boot = 0;
    bool is_full = false;
    consensus::HardState hard;
    consensus::Role role = consensus::Role::kFollower;
    consensus::Term role_term = 0;
    consensus::Index commit = 0;
    consensus::Index delivered = 0;  ///< Given to its state machine.
    consensus::Index base = 0;
    consensus::Term base_term = 0;
    std::vector<Slot> log;  ///< From base + 1.
    std::vector<ConfigAt> configs;
    std::vector<Vote> votes;  ///< Durable ones, by term.

    [[nodiscard]] consensus::Index last() const {
      return base + static_cast<consensus::Index>(log.size());
    }

    [[nodiscard]] consensus::Term term_at(consensus::Index index) const {
      if (index == base) return base_term;
      if (index < base || index > last()) return 0;
      return log[static_cast<std::size_t>(index - base - 1)].term;
    }
  };

  struct Frozen {
    consensus::Term term = 0;
    consensus::Role role = consensus::Role::kFollower;
    consensus::NodeId vote = 0;
    consensus::NodeId leader = 0;
    consensus::Index commit = 0;
    consensus::Index last = 0;
    bool operator==(const Frozen&) const = default;
  };

  View& view(consensus::NodeId id) { return views_[static_cast<std::size_t>(id)]; }

  [[nodiscard]] const View& view(consensus::NodeId id) const {
    return views_[static_cast<std::size_t>(id)];
  }

  void check_hard(consensus::NodeId id, const consensus::Ready& ready);
  void check_entries(consensus::NodeId id, const consensus::Ready& ready);
  void note_created(consensus::NodeId id, const consensus::Entry& entry, consensus::Term prev);
  void check_new_config(consensus::NodeId id, const consensus::Entry& entry);
  void check_role(consensus::NodeId id);
  void check_elected(consensus::NodeId id);
  void check_commit(consensus::NodeId id);
  void commit_as_leader(consensus::NodeId id, consensus::Index commit);
  void note_change(consensus::NodeId by, const consensus::Config& before,
                   const consensus::Config& after);
  void check_committed(consensus::NodeId id, const consensus::Ready& ready);
  void check_config(consensus::NodeId id);
  void check_scheduler(consensus::NodeId id);
  void check_match(const consensus::Message& message);
  void check_transfer(const consensus::Message& message);
  void mirror_disk(View& view) const;
  static void cut_mirror(View& view, consensus::Index from);
  [[nodiscard]] bool has_durable(consensus::NodeId id, consensus::Index index,
                                 consensus::Term term) const;
  [[nodiscard]] Frozen freeze(consensus::NodeId id) const;
  void on_replace(consensus::NodeId id, consensus::Index from);
  void on_durable(consensus::NodeId id, const DiskWrite& write);

  Trace& trace_;
  std::optional<Violation> violation_;
  std::array<View, kNodesMax + 1> views_;
  std::vector<Created> created_;
  std::vector<std::int32_t> created_at_;           ///< By index: first in `created_`, -1 for none.
  std::vector<Committed> committed_{Committed{}};  ///< By index; 0 is the empty log.
  std::vector<ConfigAt> committed_configs_;
  std::vector<ConfigAt> made_configs_;                                  ///< All there ever were.
  std::vector<std::pair<consensus::Term, consensus::Index>> commits_;   ///< Highest index by term.
  std::vector<std::pair<consensus::Term, consensus::NodeId>> leaders_;  ///< By election.
  consensus::NodeId newest_leader_ = 0;
  consensus::Term newest_term_ = 0;
  std::int64_t elections_ = 0;
  std::int64_t installs_ = 0;
  Frozen frozen_;

  /// A committed entry that a disk is about to write over.
  struct {
    consensus::NodeId node = 0;
    consensus::Index index = 0;
  } replaced_;
};

/// Members that count for majorities.
[[nodiscard]] inline bool is_counted(const consensus::Member& member) {
  return member.kind != consensus::MemberKind::kLearner;
}

[[nodiscard]] const consensus::Member* find_member(const consensus::Config& config,
                                                   consensus::NodeId id);

}  // namespace distcron::sim

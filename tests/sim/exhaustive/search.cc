// SPDX-License-Identifier: Apache-2.0
#include "sim/exhaustive/search.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/hash.h"
#include "base/mutant.h"

namespace distcron::search {

using namespace distcron::consensus;

namespace {

std::set<std::string, std::less<>> active_mutants;

class NoDice : public Dice {
 public:
  std::uint64_t draw() override { return 0; }
};

NoDice no_dice;

/// One member with its disk. Shared by all states that contain it.
struct Node {
  std::shared_ptr<const Raft> raft;
  Settings settings;
  Stored disk;
  std::deque<Ready> waiting;
  MonoTime now;
  Index applied = 0;
  std::string key;
};

struct Letter {
  Message message;
  std::string key;
};

struct State {
  std::map<NodeId, std::shared_ptr<const Node>> nodes;
  std::vector<std::shared_ptr<const Letter>> wire;  ///< By key, no two alike.
  std::map<Term, NodeId> leaders;
  std::vector<Entry> committed;
  Budget left;
  std::size_t parent = 0;
  std::string step;
};

void put(std::string& out, std::int64_t number) {
  out += std::to_string(number);
  out += ' ';
}

std::string key_of(const Node& node) {
  std::string out = node.raft->fingerprint();
  put(out, node.settings.self);
  put(out, node.applied);
  put(out, node.disk.hard.term);
  put(out, node.disk.hard.vote);
  for (const Entry& entry : node.disk.entries) {
    put(out, entry.term);
    out += entry.data;
  }
  for (const Ready& ready : node.waiting) {
    out += '/';
    if (ready.hard) put(out, ready.hard->term * 16 + ready.hard->vote);
    for (const Entry& entry : ready.entries) {
      put(out, entry.index * 16 + entry.term);
    }
    for (const Message& message : ready.send_when_durable) {
      out += encode_message(message);
    }
  }
  return out;
}

class Search {
 public:
  explicit Search(const Setup& setup) : setup_(setup) {}

  Outcome run() {
    State first;
    first.left = setup_.budget;
    for (const auto& [id, disk] : setup_.members) {
      Node node;
      node.settings.self = id;
      node.disk = disk;
      node.applied = disk.applied;
      start(node);
      first.nodes[id] = intern(std::move(node));
    }
    (void)visit(std::move(first));
    std::size_t level_end = 1;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (i == level_end) {
        ++outcome_.depth;
        level_end = states_.size();
      }
      expand(i);
      if (outcome_.violation || states_.size() >= setup_.states_max) break;
      shed(i);
      outcome_.is_exhausted = i + 1 == states_.size();
    }
    outcome_.states = states_.size();
    return outcome_;
  }

 private:
  static void start(Node& node) {
    Stored disk = node.disk;
    disk.applied = node.applied;
    auto made = Raft::make(node.settings, std::move(disk), no_dice, node.now);
    if (made) node.raft = std::shared_ptr<const Raft>(std::move(*made));
  }

  std::shared_ptr<const Node> intern(Node node) {
    node.key = key_of(node);
    auto& known = nodes_[node.key];
    if (!known) known = std::make_shared<const Node>(std::move(node));
    return known;
  }

  /// What a state needs once its successors are known: its step, for the trace.
  void shed(std::size_t i) {
    states_[i].nodes.clear();
    states_[i].wire.clear();
    states_[i].committed.clear();
  }

  bool visit(State state) {
    std::string key;
    for (const auto& [id, node] : state.nodes) {
      key += node->key;
      key += '\n';
    }
    for (const auto& letter : state.wire) {
      key += letter->key;
    }
    const Budget& left = state.left;
    for (const int number :
         {left.timeouts, left.proposals, left.crashes, left.duplicates, left.heartbeats,
          left.transfers, static_cast<int>(left.changes.size())}) {
      put(key, number);
    }
    const std::pair hash(stable_hash(key), stable_hash(key + '!'));
    if (!seen_.insert(hash.first ^ (hash.second * 3)).second) return false;
    states_.push_back(std::move(state));
    return true;
  }

  void expand(std::size_t i) {
    // `states_` may move while it grows.
    const State from = states_[i];
    for (std::size_t k = 0; k < from.wire.size() && !outcome_.violation; ++k) {
      deliver(from, i, k, false);
      if (from.left.duplicates > 0) deliver(from, i, k, true);
    }
    for (const auto& [id, node] : from.nodes) {
      if (outcome_.violation) return;
      act(from, i, id, *node);
    }
  }

  void deliver(const State& from, std::size_t parent, std::size_t k, bool keeps) {
    State next = from;
    next.parent = parent;
    const auto letter = from.wire[k];
    if (keeps) {
      --next.left.duplicates;
    } else {
      next.wire.erase(next.wire.begin() + static_cast<std::ptrdiff_t>(k));
    }
    const Message& m = letter->message;
    next.step = "message " + std::to_string(static_cast<int>(m.kind)) + " from " +
                std::to_string(m.from) + " to " + std::to_string(m.to) + ", term " +
                std::to_string(m.term) + ", previous " + std::to_string(m.prev_index) +
                ", entries " + std::to_string(m.entries.size()) + ", match " +
                std::to_string(m.match) + (m.reject ? ", refused" : "");
    step(std::move(next), m.to, Receive{m});
  }

  void act(const State& from, std::size_t parent, NodeId id, const Node& node) {
    const bool leads = node.raft->role() == Role::kLeader;
    const auto next_state = [&](const std::string& what) {
      State next = from;
      next.parent = parent;
      next.step = what + " " + std::to_string(id);
      return next;
    };
    const auto& may = setup_.candidates;
    const bool times_out = may.empty() || std::find(may.begin(), may.end(), id) != may.end();
    if (!leads && times_out && from.left.timeouts > 0) {
      State next = next_state("timeout");
      --next.left.timeouts;
      step(std::move(next), id, Tick{});
    }
    if (leads && from.left.heartbeats > 0) {
      State next = next_state("heartbeat");
      --next.left.heartbeats;
      step(std::move(next), id, Tick{});
    }
    if (leads && from.left.proposals > 0) {
      State next = next_state("propose");
      const int number = next.left.proposals--;
      step(std::move(next), id, Propose{1, {std::string(1, static_cast<char>('a' + number))}});
    }
    if (leads && !from.left.changes.empty()) {
      State next = next_state("change");
      const ChangeMember change = next.left.changes.front();
      next.left.changes.erase(next.left.changes.begin());
      step(std::move(next), id, change);
    }
    if (leads && from.left.transfers > 0) {
      for (const auto& [to, peer] : from.nodes) {
        if (to == id) continue;
        State next = next_state("transfer to " + std::to_string(to) + " by");
        --next.left.transfers;
        step(std::move(next), id, Transfer{to});
      }
    }
    if (!node.waiting.empty()) sync(next_state("sync"), id);
    if (from.left.crashes > 0) crash(next_state("crash"), id);
  }

  void crash(State next, NodeId id) {
    --next.left.crashes;
    Node node = *next.nodes.at(id);
    node.waiting.clear();
    start(node);
    if (node.raft == nullptr) return fail(next, "its disk contradicts itself");
    next.nodes[id] = intern(std::move(node));
    (void)visit(std::move(next));
  }

  /// The oldest write of a member becomes durable, and its messages go.
  void sync(State next, NodeId id) {
    Node node = *next.nodes.at(id);
    Ready ready = std::move(node.waiting.front());
    node.waiting.pop_front();
    const std::uint64_t tag = ready.tag;
    store(node, next, ready);
    next.nodes[id] = std::make_shared<const Node>(std::move(node));
    step(std::move(next), id, Durable{tag});
  }

  static void store(Node& node, State& state, Ready& ready) {
    if (ready.hard) node.disk.hard = *ready.hard;
    for (const Entry& entry : ready.entries) {
      std::erase_if(node.disk.entries, [&](const Entry& e) { return e.index >= entry.index; });
      node.disk.entries.push_back(entry);
    }
    for (Message& message : ready.send_when_durable) {
      post(state, std::move(message));
    }
  }

  static void post(State& state, Message message) {
    if (state.nodes.find(message.to) == state.nodes.end()) return;
    Message bare = message;
    bare.round = 0;
    auto letter = std::make_shared<const Letter>(Letter{std::move(message), encode_message(bare)});
    const auto at = std::lower_bound(state.wire.begin(), state.wire.end(), letter,
                                     [](const auto& a, const auto& b) { return a->key < b->key; });
    if (at != state.wire.end() && (*at)->key == letter->key) return;
    state.wire.insert(at, std::move(letter));
  }

  void step(State next, NodeId id, Event event) {
    Node node = *next.nodes.at(id);
    std::unique_ptr<Raft> raft = node.raft->clone(no_dice);
    if (std::holds_alternative<Tick>(event)) node.now = std::max(node.now, raft->next_tick());
    const Index old_commit = raft->commit_index();
    for (bool again = true; again;) {
      again = false;
      Ready ready = raft->step(node.now, std::exchange(event, Tick{}));
      if (!ready.violation.empty()) return fail(next, ready.violation);
      for (Message& message : ready.send) {
        post(next, std::move(message));
      }
      if (!apply(next, node, ready)) return;
      if (ready.tag == 0) continue;
      if (setup_.disks_wait) {
        ready.send.clear();
        ready.committed.clear();
        node.waiting.push_back(std::move(ready));
      } else {
        store(node, next, ready);
        event = Durable{ready.tag};
        again = true;
      }
    }
    node.raft = std::shared_ptr<const Raft>(std::move(raft));
    const std::shared_ptr<const Node> done = intern(std::move(node));
    next.nodes[id] = done;
    if (!check(next, id, *done->raft, old_commit)) return;
    prune(next);
    (void)visit(std::move(next));
  }

  /// An answer for a term that its receiver has left for good changes nothing.
  void prune(State& state) const {
    if (setup_.mutant == "stale-reply") return;
    std::erase_if(state.wire, [&](const auto& letter) {
      const Message& m = letter->message;
      const bool is_reply = m.kind == MessageKind::kAppendReply ||
                            m.kind == MessageKind::kVoteReply || m.kind == MessageKind::kTimeoutNow;
      return is_reply && m.term < state.nodes.at(m.to)->disk.hard.term;
    });
  }

  /// State-machine safety: all apply the same.
  bool apply(State& state, Node& node, const Ready& ready) {
    for (const Entry& entry : ready.committed) {
      const auto at = static_cast<std::size_t>(entry.index - 1);
      if (at < state.committed.size() && !(state.committed[at] == entry)) {
        fail(state, "entry " + std::to_string(entry.index) + " is applied differently");
        return false;
      }
      if (at >= state.committed.size()) state.committed.push_back(entry);
      node.applied = entry.index;
    }
    return true;
  }

  bool check(State& state, NodeId id, const Raft& raft, Index old_commit) {
    if (raft.role() == Role::kLeader) {
      const auto [known, is_new] = state.leaders.try_emplace(raft.term(), id);
      if (known->second != id) return fail(state, "two leaders in a term"), false;
      // Only of later terms: an older one's last vote may come late.
      const bool is_newest = is_new && state.leaders.rbegin()->second == id;
      for (std::size_t i = 0; is_newest && i < state.committed.size(); ++i) {
        if (raft.term_at(static_cast<Index>(i) + 1) == state.committed[i].term) continue;
        return fail(state, "the new leader lacks a committed entry"), false;
      }
      if (raft.commit_index() > old_commit && !has_copies(state, raft)) {
        return fail(state, "committed without a quorum of durable copies"), false;
      }
    }
    if (setup_.budget.changes.empty() && !keeps_copies(state)) {
      return fail(state, "a committed entry has lost its quorum of durable copies"), false;
    }
    return true;
  }

  /// Everything that anybody has applied is on the disks of a majority. For fixed members only.
  static bool keeps_copies(const State& state) {
    return std::all_of(state.committed.begin(), state.committed.end(), [&](const Entry& entry) {
      const auto at = static_cast<std::size_t>(entry.index - 1);
      const auto copies =
          std::count_if(state.nodes.begin(), state.nodes.end(), [&](const auto& node) {
            const auto& log = node.second->disk.entries;
            return at < log.size() && log[at].term == entry.term;
          });
      return static_cast<std::size_t>(copies) > state.nodes.size() / 2;
    });
  }

  /// The entry at the leader's commit index is on the disks of a majority of its voters.
  static bool has_copies(const State& state, const Raft& raft) {
    std::size_t voters = 0;
    std::size_t copies = 0;
    const Index index = raft.commit_index();
    for (const Member& member : raft.config().members) {
      if (member.kind == MemberKind::kLearner) continue;
      ++voters;
      const auto node = state.nodes.find(member.id);
      if (node == state.nodes.end()) continue;
      const auto& log = node->second->disk.entries;
      copies += std::any_of(log.begin(), log.end(), [&](const Entry& e) {
        return e.index == index && e.term == raft.term_at(index);
      });
    }
    return copies > voters / 2;
  }

  void fail(const State& state, std::string violation) {
    if (outcome_.violation) return;
    outcome_.violation = std::move(violation);
    outcome_.trace.push_back(state.step);
    for (std::size_t i = state.parent; i != 0; i = states_[i].parent) {
      outcome_.trace.push_back(states_[i].step);
    }
    std::reverse(outcome_.trace.begin(), outcome_.trace.end());
  }

  const Setup& setup_;
  Outcome outcome_;
  std::deque<State> states_;
  std::unordered_set<std::uint64_t> seen_;
  std::unordered_map<std::string, std::shared_ptr<const Node>> nodes_;
};

}  // namespace

Outcome search(const Setup& setup) {
  active_mutants = {"sticky-off", "no-pre-vote", "lease-forever"};
  if (!setup.mutant.empty()) active_mutants.insert(setup.mutant);
  return Search(setup).run();
}

}  // namespace distcron::search

bool distcron::mutant(std::string_view name) {
  return distcron::search::active_mutants.find(name) != distcron::search::active_mutants.end();
}

// SPDX-License-Identifier: Apache-2.0
// Net: members over a wire and disks that the test drives by hand, one event at a time. It performs
// what a Ready asks for, as an owner does, and checks two things that hold in every test: one
// leader a term, and that members apply the same. Not a simulator: nothing here is random.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "consensus/raft.h"

namespace distcron::consensus {

/// Always the same number: timeouts differ by place in the order only.
class FixedDice : public Dice {
 public:
  std::uint64_t value = 0;

  std::uint64_t draw() override { return value; }
};

struct Snapshot {
  Index index = 0;
  Term term = 0;
  Config config;
  Index config_index = 0;
  std::string bytes;
};

struct Node {
  Settings settings;
  FixedDice dice;
  std::unique_ptr<Raft> raft;
  Stored disk;
  bool is_up = true;
  bool syncs = true;          ///< false: Readies wait until sync().
  std::deque<Ready> waiting;  ///< Not yet durable.
  std::vector<Entry> applied;
  Snapshot snapshot;
  std::string incoming;
  bool answers_chunks = true;
  std::vector<Accepted> accepted;
  std::vector<Refused> refused;
  std::vector<ReadReady> reads;
  std::vector<ChunkWanted> wanted;
  std::vector<std::string> violations;
  std::int64_t newer_incarnation = 0;
};

inline Config voters(std::initializer_list<NodeId> ids) {
  Config config;
  for (const NodeId id : ids) {
    config.members.push_back({id, MemberKind::kVoter, 0});
  }
  return config;
}

inline Entry command(Index index, Term term, std::string data) {
  return {index, term, EntryKind::kCommand, std::move(data)};
}

class Net {
 public:
  Net() = default;

  explicit Net(const Config& config) {
    for (const Member& member : config.members) {
      add(member.id, Stored{{}, 0, 0, config, 0, {}, 0});
    }
  }

  Net(const Net&) = delete;
  Net& operator=(const Net&) = delete;

  Node& add(NodeId id, Stored stored, std::function<void(Settings&)> change = {}) {
    Node& node = nodes_[id];
    node.settings.self = id;
    node.settings.cluster = 7;
    if (change) change(node.settings);
    node.disk = std::move(stored);
    start(node);
    return node;
  }

  Node& at(NodeId id) { return nodes_.at(id); }

  Raft& raft(NodeId id) { return *nodes_.at(id).raft; }

  [[nodiscard]] MonoTime now() const { return now_; }

  /// A message for which it is true is lost.
  std::function<bool(const Message&)> drops = [](const Message&) { return false; };

  void isolate(std::vector<NodeId> alone) {
    drops = [alone = std::move(alone)](const Message& m) {
      const auto in = [&](NodeId id) {
        return std::find(alone.begin(), alone.end(), id) != alone.end();
      };
      return in(m.from) != in(m.to);
    };
  }

  void heal() {
    drops = [](const Message&) { return false; };
  }

  void step(NodeId id, Event event) {
    Node& node = at(id);
    if (!node.is_up) return;
    perform(id, node.raft->step(now_, std::move(event)));
  }

  /// The first `count` waiting Readies of the member become durable.
  void sync(NodeId id, std::size_t count = 1'000'000) {
    Node& node = at(id);
    for (; count > 0 && !node.waiting.empty(); --count) {
      Ready ready = std::move(node.waiting.front());
      node.waiting.pop_front();
      store(id, ready);
    }
  }

  /// Loses what is not durable and starts again from the disk.
  void crash(NodeId id) {
    Node& node = at(id);
    node.waiting.clear();
    const auto last = node.applied.empty() ? Index{0} : node.applied.back().index;
    node.disk.applied = std::max(node.disk.base_index, last);
    node.is_up = true;
    start(node);
  }

  void stop(NodeId id) { at(id).is_up = false; }

  /// Delivers what is on the wire, and what comes of it, until nothing is.
  void run() {
    for (int i = 0; !wire.empty(); ++i) {
      REQUIRE(i < 100'000);
      deliver();
    }
  }

  void deliver() {
    Message message = std::move(wire.front());
    wire.pop_front();
    if (drops(message) || nodes_.find(message.to) == nodes_.end()) return;
    const NodeId to = message.to;
    step(to, Receive{std::move(message)});
  }

  /// Lets time pass in steps of 10 ms, with ticks when due.
  void pass(Micros time) {
    for (const MonoTime end = now_ + time; now_ < end;) {
      now_ += Millis(10);
      for (auto& [id, node] : nodes_) {
        if (node.is_up && node.raft->next_tick() <= now_) step(id, Tick{});
      }
      run();
    }
  }

  /// Time passes for nobody but `id`, whose timeout strikes.
  void time_out(NodeId id) {
    now_ = std::max(now_, raft(id).next_tick());
    step(id, Tick{});
  }

  /// Makes `id` campaign now and delivers everything.
  void elect(NodeId id) {
    time_out(id);
    run();
    REQUIRE(raft(id).role() == Role::kLeader);
  }

  std::uint64_t propose(NodeId id, std::string data) {
    step(id, Propose{++last_tag_, {std::move(data)}});
    return last_tag_;
  }

  void change(NodeId id, Member member, bool removes = false) {
    step(id, ChangeMember{++last_tag_, member, removes});
  }

  [[nodiscard]] NodeId leader() const {
    NodeId best = 0;
    Term term = 0;
    for (const auto& [id, node] : nodes_) {
      if (!node.is_up || node.raft->role() != Role::kLeader || node.raft->term() < term) continue;
      best = id;
      term = node.raft->term();
    }
    return best;
  }

  /// Data of the commands that `id` has applied, separated by blanks.
  [[nodiscard]] std::string applied(NodeId id) {
    std::string text;
    for (const Entry& entry : at(id).applied) {
      if (entry.kind != EntryKind::kCommand) continue;
      text += (text.empty() ? "" : " ") + entry.data;
    }
    return text;
  }

  /// As applied(), of the log on disk.
  [[nodiscard]] std::string stored(NodeId id) {
    std::string text;
    for (const Entry& entry : at(id).disk.entries) {
      if (entry.kind != EntryKind::kCommand) continue;
      text += (text.empty() ? "" : " ") + entry.data;
    }
    return text;
  }

  /// Makes a snapshot of what `id` has applied and forgets the log up to it.
  void compact(NodeId id) {
    Node& node = at(id);
    Snapshot& shot = node.snapshot;
    shot.index = node.applied.back().index;
    shot.term = node.applied.back().term;
    shot.config = node.raft->config_at(shot.index, shot.config_index);
    shot.bytes = std::string(1'000, static_cast<char>('a' + shot.index % 26));
    history_[shot.index] = node.applied;
    node.disk.base_index = shot.index;
    node.disk.base_term = shot.term;
    node.disk.base_config = shot.config;
    node.disk.base_config_index = shot.config_index;
    std::erase_if(node.disk.entries, [&](const Entry& e) { return e.index <= shot.index; });
    step(id, Compact{shot.index});
  }

  /// Takes the messages of a kind off the wire.
  std::vector<Message> take(MessageKind kind) {
    std::vector<Message> found;
    std::deque<Message> rest;
    for (Message& message : wire) {
      (message.kind == kind ? (void)found.push_back(message) : (void)rest.push_back(message));
    }
    wire = std::move(rest);
    return found;
  }

  std::deque<Message> wire;

 private:
  void start(Node& node) {
    auto made = Raft::make(node.settings, node.disk, node.dice, now_);
    REQUIRE(made);
    node.raft = std::move(*made);
  }

  void perform(NodeId id, Ready ready) {
    Node& node = at(id);
    for (Message& message : ready.send) {
      wire.push_back(std::move(message));
    }
    ready.send.clear();
    take_results(node, ready);
    for (Entry& entry : ready.committed) {
      apply(node, std::move(entry));
    }
    if (!ready.committed.empty()) step(id, AppliedTo{node.applied.back().index});
    ready.committed.clear();
    check_leaders(id, node);
    std::optional<Message> chunk = std::move(ready.chunk_received);
    const std::vector<ChunkWanted> wanted = std::move(ready.chunks_wanted);
    if (ready.tag != 0) node.waiting.push_back(std::move(ready));
    if (node.syncs) sync(id);
    if (chunk) take_chunk(id, node, std::move(*chunk));
    for (const ChunkWanted& one : wanted) {
      node.wanted.push_back(one);
      if (node.answers_chunks) give_chunk(id, one);
    }
  }

  void take_results(Node& node, const Ready& ready) {
    const auto add_all = [](auto& to, const auto& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    add_all(node.accepted, ready.accepted);
    add_all(node.refused, ready.refused);
    add_all(node.reads, ready.reads);
    if (!ready.violation.empty()) node.violations.push_back(ready.violation);
    if (ready.newer_incarnation != 0) node.newer_incarnation = ready.newer_incarnation;
  }

  void store(NodeId id, Ready& ready) {
    Node& node = at(id);
    if (ready.hard) node.disk.hard = *ready.hard;
    for (Entry& entry : ready.entries) {
      auto& log = node.disk.entries;
      std::erase_if(log, [&](const Entry& e) { return e.index >= entry.index; });
      const Index last = log.empty() ? node.disk.base_index : log.back().index;
      REQUIRE(entry.index == last + 1);
      log.push_back(std::move(entry));
    }
    for (Message& message : ready.send_when_durable) {
      wire.push_back(std::move(message));
    }
    step(id, Durable{ready.tag});
  }

  void apply(Node& node, Entry entry) {
    const Index last = node.applied.empty() ? Index{0} : node.applied.back().index;
    REQUIRE(entry.index == last + 1);
    const auto [known, is_new] = committed_.try_emplace(entry.index, entry);
    REQUIRE(known->second == entry);
    node.applied.push_back(std::move(entry));
  }

  void check_leaders(NodeId id, const Node& node) {
    if (node.raft->role() != Role::kLeader) return;
    const auto [known, is_new] = leaders_.try_emplace(node.raft->term(), id);
    REQUIRE(known->second == id);
  }

 public:
  void give_chunk(NodeId id, const ChunkWanted& wanted) {
    const Snapshot& shot = at(id).snapshot;
    ChunkRead read{wanted.to, shot.index, shot.term, shot.config, shot.config_index, 0, 0, 1, {}};
    read.offset = wanted.index == shot.index ? wanted.offset : 0;
    read.size = shot.bytes.size();
    if (shot.index != 0) read.data = shot.bytes.substr(read.offset, wanted.bytes_max);
    step(id, std::move(read));
  }

 private:
  void take_chunk(NodeId id, Node& node, Message chunk) {
    sync(id);
    if (chunk.offset == 0) node.incoming.clear();
    if (chunk.offset != node.incoming.size()) {
      step(id, ChunkStored{chunk.prev_index, node.incoming.size(), false});
      return;
    }
    node.incoming += chunk.data;
    const bool is_last = node.incoming.size() == chunk.size;
    if (is_last) {
      node.disk.base_index = chunk.prev_index;
      node.disk.base_term = chunk.prev_term;
      node.disk.base_config = chunk.config;
      node.disk.base_config_index = chunk.config_index;
      node.disk.entries.clear();
      node.applied = history_.at(chunk.prev_index);
    }
    step(id, ChunkStored{chunk.prev_index, node.incoming.size(), is_last});
  }

  std::map<NodeId, Node> nodes_;
  std::map<Index, Entry> committed_;
  std::map<Term, NodeId> leaders_;
  std::map<Index, std::vector<Entry>> history_;
  MonoTime now_{Seconds(100)};
  std::uint64_t last_tag_ = 0;
};

}  // namespace distcron::consensus

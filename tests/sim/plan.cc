// SPDX-License-Identifier: Apache-2.0
// Draws the script of a seed. Swarm: each kind of trouble is on in some seeds only, with its own
// frequency; lengths and gaps are in election timeouts, so that tiny and long ones meet them alike.
#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "sim/script.h"

namespace distcron::sim {
namespace {

/// A node from when on it exists.
struct Known {
  std::int64_t id = 0;
  SimTime from = 0;
};

class Planner {
 public:
  Planner(Rng& rng, Script& script) : rng_(rng), script_(script), o_(script.options) {
    for (std::int64_t id = 1; id <= o_.voters + o_.learners + o_.witnesses; ++id) {
      nodes_.push_back(Known{.id = id, .from = 0});
    }
  }

  void plan() {
    if (draw_chance(rng_, 350)) plan_members();
    if (draw_chance(rng_, 350)) each(3, 60, [this](SimTime at) { transfer(at); });
    if (draw_chance(rng_, 650)) each(3, 60, [this](SimTime at) { crash(at); });
    if (draw_chance(rng_, 200)) {
      each(20, 200, [this](SimTime at) { add(at, OpKind::kCrashAll, 0, 0, length(1, 2'000)); });
    }
    if (draw_chance(rng_, 350)) {
      each(5, 60, [this](SimTime at) { add(at, OpKind::kPause, node(at), 0, length(500, 8'000)); });
    }
    if (draw_chance(rng_, 650)) each(3, 60, [this](SimTime at) { cut(at); });
    if (draw_chance(rng_, 250)) {
      each(5, 80,
           [this](SimTime at) { add(at, OpKind::kClog, some(at), some(at), length(200, 20'000)); });
    }
    if (draw_chance(rng_, 200)) {
      each(10, 80, [this](SimTime at) {
        add(at, OpKind::kLossy, draw_between(rng_, 100, 900), 0, length(500, 5'000));
      });
    }
    if (draw_chance(rng_, 250)) {
      each(10, 100,
           [this](SimTime at) { add(at, OpKind::kDiskFull, node(at), 0, length(200, 10'000)); });
    }
    if (draw_chance(rng_, 300)) {
      each(5, 80, [this](SimTime at) {
        add(at, OpKind::kDiskSlow, node(at), length(50, 3'000), length(500, 10'000));
      });
    }
    if (draw_chance(rng_, 200)) {
      each(10, 80,
           [this](SimTime at) { add(at, OpKind::kClockJump, node(at), length(100, 20'000), 0); });
    }
    if (draw_chance(rng_, 200)) {
      each(20, 100, [this](SimTime at) {
        add(at, OpKind::kClockRate, node(at), draw_between(rng_, -200'000, 200'000), 0);
      });
    }
    if (o_.snapshot_every > 0 && draw_chance(rng_, 300)) {
      each(5, 60, [this](SimTime at) { add(at, OpKind::kCompact, node(at), 0, 0); });
    }
    std::stable_sort(script_.ops.begin(), script_.ops.end(),
                     [](const Op& a, const Op& b) { return a.at < b.at; });
  }

 private:
  /// Calls `make` at random times, on average one in every `low`..`high` election timeouts.
  template <class Make>
  void each(std::int64_t low, std::int64_t high, Make make) {
    const SimTime gap = draw_scaled(rng_, low, high) * o_.election_us;
    for (SimTime at = draw_between(rng_, 0, gap * 2); at < o_.duration_us;
         at += draw_between(rng_, 1, gap * 2)) {
      make(at);
    }
  }

  /// A length of time between so many thousandths of an election timeout.
  SimTime length(std::int64_t low, std::int64_t high) {
    return draw_scaled(rng_, low, high) * o_.election_us / 1'000;
  }

  void add(SimTime at, OpKind kind, std::int64_t a, std::int64_t b, SimTime length) {
    script_.ops.push_back(Op{.at = at, .kind = kind, .a = a, .b = b, .length = length});
  }

  /// A node that exists by then.
  std::int64_t some(SimTime at) {
    const auto end = std::partition_point(nodes_.begin(), nodes_.end(),
                                          [at](const Known& k) { return k.from <= at; });
    return nodes_[rng_.below(static_cast<std::uint64_t>(end - nodes_.begin()))].id;
  }

  /// The same, or the leader of that time.
  std::int64_t node(SimTime at) { return draw_chance(rng_, 300) ? kLeader : some(at); }

  void crash(SimTime at) {
    // Two at once now and then, and the same one again soon after.
    const std::int64_t id = node(at);
    if (draw_chance(rng_, 500)) {
      const bool is_install = o_.snapshot_every > 0 && draw_chance(rng_, 300);
      return add(at, OpKind::kCrashWriting, is_install ? some(at) : id, is_install ? 1 : 0,
                 length(1, 10'000));
    }
    add(at, OpKind::kCrash, id, 0, length(1, 10'000));
    if (draw_chance(rng_, 200)) add(at, OpKind::kCrash, some(at), 0, length(1, 10'000));
    if (draw_chance(rng_, 100)) add(at + length(10, 2'000), OpKind::kCrash, id, 0, length(1, 500));
  }

  void cut(SimTime at) {
    const SimTime until = length(200, 20'000);
    switch (rng_.below(6)) {
      case 0:
        return add(at, OpKind::kBlock, some(at), some(at), until);
      case 1:
        return add(at, OpKind::kIsolate, node(at), 0, until);
      case 2:
        return add(at, OpKind::kDeaf, node(at), 0, until);
      case 3:
        return add(at, OpKind::kMute, node(at), 0, until);
      case 4:
        return split(at, until);
      default:
        return ring(at, until);
    }
  }

  void split(SimTime at, SimTime until) {
    std::int64_t mask = 0;
    for (const Known& k : nodes_)
      mask |= static_cast<std::int64_t>(rng_.below(2)) << k.id;
    add(at, OpKind::kSplit, mask, 0, until);
  }

  /// Several single directions at once.
  void ring(SimTime at, SimTime until) {
    const std::int64_t count = draw_between(rng_, 2, 5);
    for (std::int64_t i = 0; i < count; ++i) {
      add(at, draw_chance(rng_, 500) ? OpKind::kBlock : OpKind::kClog, some(at), some(at), until);
    }
  }

  /// The order to lead comes late, after the leader has given up the hand-over and has gone on;
  /// what it has sent to others since is not yet on their disks.
  void late_transfer(SimTime at) {
    const std::int64_t to = some(at);
    add(at, OpKind::kClog, kLeader, to, length(1'000, 4'000));
    add(at, OpKind::kBlock, to, kLeader, length(1'000, 6'000));
    for (const Known& k : nodes_) {
      if (k.from <= at && draw_chance(rng_, 500)) {
        add(at, OpKind::kDiskSlow, k.id, length(100, 1'000), length(1'000, 6'000));
      }
    }
    add(at, OpKind::kTransfer, to, 0, 0);
  }

  void transfer(SimTime at) {
    if (draw_chance(rng_, 250)) return late_transfer(at);
    const std::int64_t to = draw_chance(rng_, 200) ? 0 : some(at);
    add(at, OpKind::kTransfer, to, 0, 0);
    // What may go wrong then: another one, or the end of either.
    if (draw_chance(rng_, 200)) add(at + length(1, 1'000), OpKind::kTransfer, some(at), 0, 0);
    if (draw_chance(rng_, 200)) {
      add(at + length(1, 500), OpKind::kCrash, draw_chance(rng_, 500) ? to : kLeader, 0,
          length(1, 3'000));
    }
  }

  /// Storms of membership: in and out, also with new ids for lost disks.
  void plan_members() {
    std::int64_t next = nodes_.back().id + 1;
    std::vector<std::int64_t> members;
    for (const Known& k : nodes_)
      members.push_back(k.id);
    each(2, 40, [&](SimTime at) {
      const std::size_t place = rng_.below(members.size());
      const std::int64_t id = members[place];
      switch (rng_.below(7)) {
        case 0:
        case 1:
          if (next > kNodesMax - 8 || members.size() >= 9) break;
          nodes_.push_back(Known{.id = next, .from = at});
          members.push_back(next);
          add(at, OpKind::kAddLearner, next++, 0, 0);
          break;
        case 2:
          add(at, OpKind::kPromote, members.back(), 0, 0);
          break;
        case 3:
          add(at, OpKind::kPromote, id, 0, 0);
          break;
        case 4:
          add(at, draw_chance(rng_, 800) ? OpKind::kDemote : OpKind::kMakeWitness, id, 0, 0);
          break;
        case 5:
          add(at, OpKind::kRemove, draw_chance(rng_, 200) ? kLeader : id, 0, 0);
          break;
        default:
          if (members.size() <= 2) break;
          members.erase(members.begin() + static_cast<std::ptrdiff_t>(place));
          add(at, OpKind::kRemove, id, 0, 0);
          if (draw_chance(rng_, 500)) add(at + length(1, 20'000), OpKind::kStop, id, 0, 0);
          break;
      }
    });
  }

  Rng& rng_;
  Script& script_;
  const Options& o_;
  std::vector<Known> nodes_;
};

}  // namespace

Script draw_script(std::uint64_t seed, SimTime duration_us) {
  Script script;
  script.seed = seed;
  Rng rng(mix64(seed ^ 0x5c71b7));
  script.options = draw_options(rng, duration_us);
  Planner(rng, script).plan();
  return script;
}

}  // namespace distcron::sim

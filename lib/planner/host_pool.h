// SPDX-License-Identifier: Apache-2.0
// HostPool: the hosts as one turn sees them: who may run a job, who takes it, and why the others
// do not. Lives for one turn; not locked.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/selector.h"
#include "model/target.h"
#include "planner/state_data.h"

namespace distcron::planner {

/// Why a member never takes runs of a job, as things stand; empty when it may. Load and silence do
/// not count.
[[nodiscard]] std::string why_not(const Node& node, const model::JobSpec& spec);

class HostPool {
 public:
  HostPool(const StateData& state, const Situation& situation);

  struct Wish {
    const Job* job = nullptr;
    std::int64_t bound_to = 0;  ///< Only this host; 0: any that fits.
    std::int64_t after = 0;     ///< Round robin: the one that had the last turn.
  };

  struct Pick {
    const Node* node = nullptr;  ///< Null: none; then `reason` and `facts` say why.
    model::Reason reason = model::Reason::kNone;
    std::vector<model::Fact> facts;
  };

  /// The host that takes the next run. None: kNoHost when no member fits, kHostDown when those
  /// that fit are silent or without executor, kClock when their clocks are off, kCapacity when they
  /// are full.
  [[nodiscard]] Pick pick(const Wish& wish);

  struct Share {
    const Node* node = nullptr;
    bool is_ready = false;  ///< Could start one now.
  };

  /// Hosts for a job of which each slot runs on several, in the order of their shards; the silent
  /// ones are among them where all are meant.
  [[nodiscard]] std::vector<Share> spread(const Job& job, const model::Target& target);

  void take(std::int64_t node_id);

  /// When a claim that is to start at `start_at` starts on this host's own clock, and until when it
  /// may: two seconds, stretched by all that the host has to start. To be asked once all claims of
  /// the turn were taken. Nothing for a host that issued no permit.
  [[nodiscard]] std::optional<model::StartPermit> permit_for(std::int64_t node_id,
                                                             WallTime start_at, WallTime now) const;

  /// Free places, of all hosts that could start something.
  [[nodiscard]] std::int64_t room() const { return room_; }

  /// More than one member: which one took a run is worth a word.
  [[nodiscard]] bool has_choice() const { return places_.size() > 1; }

  /// Changes when a host comes or goes, so that what waits for a host is looked at again.
  [[nodiscard]] const std::string& signature() const { return signature_; }

  /// Why the run goes there and not elsewhere, in one line.
  [[nodiscard]] std::string describe_choice(const Wish& wish, const Node& chosen);

 private:
  struct Place {
    const Node* node = nullptr;
    HostSituation now;
    std::int64_t busy = 0;
  };

  enum class Bar : std::uint8_t { kNone, kUnfit, kSilent, kNoExecutor, kClock, kFull };

  [[nodiscard]] Bar bar(const Place& place, const Wish& wish);
  [[nodiscard]] bool fits(const Place& place, const model::JobSpec& spec);
  [[nodiscard]] std::string bar_text(const Place& place, const Wish& wish, Bar bar) const;
  [[nodiscard]] bool is_better(const Place& a, const Place& b, const Wish& wish) const;
  [[nodiscard]] static bool is_usable(const Place& place);

  std::vector<Place> places_;  ///< By id.
  std::map<std::string, std::optional<model::Selector>, std::less<>> selectors_;
  std::int64_t room_ = 0;
  std::string signature_;
};

}  // namespace distcron::planner

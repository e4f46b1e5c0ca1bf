// SPDX-License-Identifier: Apache-2.0
#include "planner/host_pool.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/hash.h"
#include "planner/slots.h"

namespace distcron::planner {

using model::Fact;
using model::NodeState;
using model::Reason;
using model::Route;

namespace {

constexpr std::size_t kFactsMax = 20;
constexpr std::size_t kOthersMax = 200;  // characters

constexpr Micros kStartSlack{2'000'000};      // a start later than this is refused
constexpr Micros kStartSlackMax{30'000'000};  // ... stretched by a herd up to this
/// Starts a second that a busy host can be expected to make. Its own measure is of forks, many
/// times what of them comes to an exec when all that was forked wants the processor at once.
constexpr std::int64_t kStartRateMax = 100;

/// Jobs that came from the crontabs of a host stay there until somebody says where they may run.
bool is_pinned_elsewhere(const Node& node, const model::JobSpec& spec) {
  const bool is_pinned = !spec.origin_host.empty() && (spec.managed || spec.on.empty());
  return is_pinned && spec.origin_host != node.name;
}

std::string why_not_state(const Node& node) {
  if (node.state == NodeState::kDraining) return "host " + node.name + " is drained";
  if (node.kind == model::MemberKind::kWitness) return "host " + node.name + " is a witness";
  return {};
}

std::string why_not_pinned(const Node& node, const model::JobSpec& spec) {
  return "host " + node.name + " is not " + spec.origin_host + ", where the job was imported";
}

/// Highest random weight: when a host goes, only its jobs move.
std::uint64_t weight(const Job& job, const Node& node) {
  return mix64(job.uid ^ mix64(static_cast<std::uint64_t>(node.id)));
}

}  // namespace

std::string why_not(const Node& node, const model::JobSpec& spec) {
  if (is_pinned_elsewhere(node, spec)) return why_not_pinned(node, spec);
  const std::string missing =
      spec.on.empty() ? std::string() : model::first_mismatch(spec.on, node.name, node.labels);
  if (!missing.empty()) return "host " + node.name + " is not " + missing;
  return why_not_state(node);
}

HostPool::HostPool(const StateData& state, const Situation& situation) {
  const auto add = [&](const Node& node, HostSituation now) {
    Place place{&node, std::move(now), state.busy_on(node.id)};
    if (is_usable(place)) room_ += std::max<std::int64_t>(0, place.now.capacity - place.busy);
    signature_ += std::to_string(node.id) + (place.now.is_alive ? "+" : "-") +
                  (place.now.is_clock_ok ? "+" : "-") + (place.now.can_start ? "+" : "-");
    places_.push_back(std::move(place));
  };
  for (const auto& [id, node] : state.nodes) {
    if (!model::is_member(node)) continue;
    if (situation.node_id != 0 && situation.node_id != id) continue;
    HostSituation now;
    now.node_id = id;
    now.capacity = situation.capacity;
    if (!situation.nodes.empty()) {
      const auto known = std::find_if(situation.nodes.begin(), situation.nodes.end(),
                                      [id = id](const auto& host) { return host.node_id == id; });
      now.is_alive = false;
      if (known != situation.nodes.end()) now = *known;
    }
    add(node, std::move(now));
    if (situation.nodes.empty() && situation.node_id == 0) break;  // the lowest member
  }
}

bool HostPool::is_usable(const Place& place) {
  return place.now.is_alive && place.now.can_start && place.now.is_clock_ok &&
         place.node->state == NodeState::kActive && place.node->kind != model::MemberKind::kWitness;
}

bool HostPool::fits(const Place& place, const model::JobSpec& spec) {
  if (is_pinned_elsewhere(*place.node, spec)) return false;
  if (place.node->state != NodeState::kActive) return false;
  if (place.node->kind == model::MemberKind::kWitness) return false;
  if (spec.on.empty()) return true;
  const auto [known, is_new] = selectors_.try_emplace(spec.on);
  if (is_new) {
    if (auto parsed = model::parse_selector(spec.on)) known->second = std::move(*parsed);
  }
  return known->second && model::matches(*known->second, place.node->name, place.node->labels);
}

HostPool::Bar HostPool::bar(const Place& place, const Wish& wish) {
  if (wish.bound_to != 0) {
    if (wish.bound_to != place.node->id) return Bar::kUnfit;
    const bool may = fits(place, *wish.job->spec);
    if (!may) return Bar::kUnfit;
  } else if (!fits(place, *wish.job->spec)) {
    return Bar::kUnfit;
  }
  if (!place.now.is_alive) return Bar::kSilent;
  if (!place.now.can_start) return Bar::kNoExecutor;
  if (!place.now.is_clock_ok) return Bar::kClock;
  return place.busy >= place.now.capacity ? Bar::kFull : Bar::kNone;
}

std::string HostPool::bar_text(const Place& place, const Wish& wish, Bar bar) const {
  const std::string host = "host " + place.node->name;
  switch (bar) {
    case Bar::kNone:
      return host + " may run it";
    case Bar::kUnfit: {
      std::string text = why_not(*place.node, *wish.job->spec);
      return text.empty() ? host + " is not the one that it belongs to" : text;
    }
    case Bar::kSilent:
      return host + " is silent" +
             (place.now.silent_since ? " since " + utc_text(*place.now.silent_since) : "");
    case Bar::kNoExecutor:
      return host + " has no executor, which starts its jobs";
    case Bar::kClock:
      return host + " has no clock that can be trusted";
    case Bar::kFull:
      return "all " + std::to_string(place.now.capacity) + " places of " + host + " are taken";
  }
  return host;
}

bool HostPool::is_better(const Place& a, const Place& b, const Wish& wish) const {
  if (a.now.is_doubtful != b.now.is_doubtful) return b.now.is_doubtful;
  const Route route = wish.job->spec->route;
  switch (route) {
    case Route::kHash:
      break;
    case Route::kLeastLoaded: {
      // busy/capacity without division; ties by hash.
      const std::int64_t left = a.busy * b.now.capacity;
      const std::int64_t right = b.busy * a.now.capacity;
      if (left != right) return left < right;
      break;
    }
    case Route::kRoundRobin: {
      const bool is_a_next = a.node->id > wish.after;
      const bool is_b_next = b.node->id > wish.after;
      if (is_a_next != is_b_next) return is_a_next;
      return a.node->id < b.node->id;
    }
    case Route::kOrdered:
      return std::tuple(a.node->rank, a.node->id) < std::tuple(b.node->rank, b.node->id);
  }
  return weight(*wish.job, *a.node) > weight(*wish.job, *b.node);
}

HostPool::Pick HostPool::pick(const Wish& wish) {
  const Place* best = nullptr;
  Bar least = Bar::kUnfit;
  const auto is_down = [](Bar bar) { return bar == Bar::kSilent || bar == Bar::kNoExecutor; };
  const auto rank = [&](Bar bar) {  // what says most about the lack of a host
    return bar == Bar::kFull ? 3 : is_down(bar) ? 2 : bar == Bar::kClock ? 1 : 0;
  };
  for (const Place& place : places_) {
    const Bar found = bar(place, wish);
    if (found == Bar::kNone) {
      if (best == nullptr || is_better(place, *best, wish)) best = &place;
    } else if (rank(found) > rank(least)) {
      least = found;
    }
  }
  Pick out;
  if (best != nullptr) {
    out.node = best->node;
    return out;
  }
  out.reason = least == Bar::kFull    ? Reason::kCapacity
               : is_down(least)       ? Reason::kHostDown
               : least == Bar::kClock ? Reason::kClock
                                      : Reason::kNoHost;
  const std::string_view check = out.reason == Reason::kCapacity ? "capacity" : "host";
  for (const Place& place : places_) {
    if (wish.bound_to != 0 && place.node->id != wish.bound_to) continue;
    if (out.facts.size() == kFactsMax) {
      out.facts.push_back({"host", false, "and so on for the other hosts"});
      break;
    }
    out.facts.push_back({std::string(check), false, bar_text(place, wish, bar(place, wish))});
  }
  if (out.facts.empty()) {
    out.facts.push_back({"host", false, "its host is no member of the cluster any more"});
  }
  return out;
}

std::string HostPool::describe_choice(const Wish& wish, const Node& chosen) {
  std::int64_t able = 0;
  std::string others;
  for (const Place& place : places_) {
    const Bar found = bar(place, wish);
    if (found == Bar::kNone) {
      ++able;
      if (place.now.is_doubtful && others.size() < kOthersMax) {
        others += "; host " + place.node->name + " has not answered just now";
      }
    } else if (found != Bar::kUnfit && others.size() < kOthersMax) {
      others += "; " + bar_text(place, wish, found);
    }
  }
  return chosen.name + " of " + std::to_string(able) +
         " that could, by route = " + std::string(model::name_of(wish.job->spec->route)) + others;
}

std::vector<HostPool::Share> HostPool::spread(const Job& job, const model::Target& target) {
  const Wish wish{.job = &job, .bound_to = 0, .after = 0};
  std::vector<const Place*> fitting;
  for (const Place& place : places_) {
    if (bar(place, wish) != Bar::kUnfit) fitting.push_back(&place);
  }
  if (fitting.empty()) return {};
  const std::int64_t count = model::target_count(target, static_cast<std::int64_t>(fitting.size()));
  if (target.kind != model::Target::Kind::kAll) {
    // Hosts that could start it come first, then by route.
    std::sort(fitting.begin(), fitting.end(), [&](const Place* a, const Place* b) {
      const bool is_a = bar(*a, wish) == Bar::kNone;
      const bool is_b = bar(*b, wish) == Bar::kNone;
      return is_a != is_b ? is_a : is_better(*a, *b, wish);
    });
    fitting.resize(static_cast<std::size_t>(count));
    std::sort(fitting.begin(), fitting.end(),
              [](const Place* a, const Place* b) { return a->node->id < b->node->id; });
  }
  std::vector<Share> out;
  for (const Place* place : fitting)
    out.push_back({place->node, bar(*place, wish) == Bar::kNone});
  return out;
}

std::optional<model::StartPermit> HostPool::permit_for(std::int64_t node_id, WallTime start_at,
                                                       WallTime now) const {
  const auto place = std::find_if(places_.begin(), places_.end(),
                                  [node_id](const Place& one) { return one.node->id == node_id; });
  if (place == places_.end() || !place->now.permit) return std::nullopt;
  const HostPermit& issued = *place->now.permit;
  const std::int64_t measured = place->now.start_rate;
  const std::int64_t rate = measured > 0 ? std::min(measured, kStartRateMax) : kStartRateMax;
  const Micros herd{place->busy * 1'000'000 / rate};
  model::StartPermit permit;
  permit.boot = issued.boot;
  permit.counter = issued.counter;
  permit.start_in_us = (issued.age + std::max(start_at - now, Micros(0))).count();
  permit.start_slack_us = std::min(kStartSlack + herd, kStartSlackMax).count();
  return permit;
}

void HostPool::take(std::int64_t node_id) {
  for (Place& place : places_) {
    if (place.node->id != node_id) continue;
    ++place.busy;
    --room_;
  }
}

}  // namespace distcron::planner

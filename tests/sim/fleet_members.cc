// SPDX-License-Identifier: Apache-2.0
// Members that come and go: what a seed draws of them, how they ask to join, and what must hold of
// them at the end.
#include <algorithm>
#include <array>

#include "agent/membership.h"
#include "sim/fleet_world.h"
#include "wire/codec.h"

namespace distcron::sim {
namespace {

constexpr FleetTime kAskAgain = 500 * kMs;

/// What happens to hosts that joined.
constexpr std::array kFaults{FleetOpKind::kKillAgent, FleetOpKind::kPowerOff, FleetOpKind::kPause,
                             FleetOpKind::kIsolate, FleetOpKind::kCutStart};

class Members {
 public:
  explicit Members(FleetPlan& plan)
      : plan_(plan), rng_(mix64(plan.options.seed ^ 0x6d656d62657273ULL)) {}

  void draw() {
    if (!draw_chance(rng_, 40)) return;
    plan_.options.founded_at = draw_between(rng_, 0, 1);
    std::int64_t& joiners = plan_.options.joiners;
    joiners = draw_between(rng_, 0, 3);
    for (std::int64_t i = 1; i <= joiners; ++i)
      put(FleetOpKind::kJoin).arg = plan_.options.nodes + i;
    const std::int64_t hosts = plan_.options.nodes + joiners;
    for (std::int64_t i = draw_between(rng_, 0, 3); i > 0 && hosts > 1; --i)
      put(FleetOpKind::kRemove).arg = draw_between(rng_, 1, hosts);
    if (draw_chance(rng_, 30) && hosts > 1) put(FleetOpKind::kLeave);
    for (std::int64_t i = draw_between(rng_, 0, 3); i > 0; --i)
      put(FleetOpKind::kSetNode).arg = draw_between(rng_, 1, hosts);
    for (std::int64_t i = draw_between(rng_, 0, 3); i > 0 && joiners > 0; --i) {
      FleetOp& op = put(kFaults[rng_.below(kFaults.size())]);
      op.node = plan_.options.nodes + draw_between(rng_, 1, joiners);
      op.span = draw_between(rng_, 10 * kMs, 15 * kSecond);
    }
    std::stable_sort(plan_.ops.begin(), plan_.ops.end(),
                     [](const FleetOp& a, const FleetOp& b) { return a.at < b.at; });
  }

 private:
  FleetOp& put(FleetOpKind kind) {
    FleetOp op;
    op.at = draw_between(rng_, 3 * kSecond, plan_.options.faults_until);
    op.kind = kind;
    op.node = draw_between(rng_, 1, plan_.options.nodes);
    plan_.ops.push_back(op);
    return plan_.ops.back();
  }

  FleetPlan& plan_;
  Rng rng_;
};

}  // namespace

void draw_members(FleetPlan& plan) {
  Members(plan).draw();
}

FleetPlan draw_large_plan(std::uint64_t seed, std::int64_t seconds, std::int64_t hosts) {
  Rng rng(mix64(seed ^ 0x6c61726765ULL));
  FleetPlan plan;
  FleetOptions& o = plan.options;
  o.seed = seed;
  o.nodes = hosts;
  const auto voters = static_cast<std::int64_t>(3 + 2 * (seed % 3));
  o.standbys = std::max<std::int64_t>(0, hosts - voters);
  o.faults_until = seconds * kSecond;
  o.settle = 40 * kSecond;
  o.habits.run_max = 800 * kMs;
  const auto add = [&o](const char* every, const char* target, model::Concurrency concurrency) {
    model::JobSpec spec;
    spec.name = "job" + std::to_string(o.jobs.size());
    spec.command = "true";
    spec.user = "root";
    spec.tz = "UTC";
    spec.schedule = {every};
    spec.target = target;
    spec.concurrency = concurrency;
    spec.guarantee = model::Guarantee::kAtMostOnce;
    o.jobs.push_back(spec);
  };
  add("@every 10s", "all", model::Concurrency::kAllow);
  add("@every 2s", "one", model::Concurrency::kForbid);
  add("@every 5s", "10%", model::Concurrency::kQueue);
  constexpr std::array kKinds{FleetOpKind::kKillAgent, FleetOpKind::kPowerOff,
                              FleetOpKind::kIsolate, FleetOpKind::kPause, FleetOpKind::kHandOver};
  constexpr FleetTime kApart = 15 * kSecond;
  for (FleetTime at = 8 * kSecond; at < o.faults_until; at += kApart) {
    FleetOp op;
    op.at = at;
    op.kind = kKinds[rng.below(kKinds.size())];
    op.node = draw_chance(rng, 60) ? 1 : draw_between(rng, 1, hosts);
    op.span = draw_between(rng, 2 * kSecond, 10 * kSecond);
    plan.ops.push_back(op);
  }
  return plan;
}

/// Until it is answered, of whoever is there.
void FleetWorld::join(std::int64_t id) {
  FleetNode& guest = node(id);
  if (guest.is_member() || guest.has_left()) return;
  const auto asked = static_cast<std::int64_t>(1 + rng_.below(nodes_.size()));
  net_.knock(asked, wire::encode(guest.join_request()), std::string(kJoinToken),
             [this, &guest](const std::string& bytes) {
               const auto reply = wire::decode<wire::JoinReply>(bytes);
               if (!reply) return judge_.fail("join_reply", reply.error().message);
               const auto conflict = static_cast<std::int32_t>(ErrorCode::kConflict) + 1;
               if (reply->code == 0) guest.join(*reply);
               if (reply->code == conflict) guest.give_up();  // removed before it heard that
             });
  agenda_.after(kAskAgain, [this, id] { join(id); });
}

void FleetWorld::change_members(FleetNode& at, const FleetOp& op) {
  if (op.kind == FleetOpKind::kRemove || op.kind == FleetOpKind::kLeave) {
    const bool leaves = op.kind == FleetOpKind::kLeave;
    return at.client(model::RemoveNode{leaves ? at.id() : op.arg, leaves}, request_id());
  }
  model::SetNode command;
  command.node_id = op.arg;
  if (draw_chance(rng_, 60)) {
    command.kind = draw_chance(rng_, 50) ? model::MemberKind::kStandby : model::MemberKind::kAuto;
  }
  if (draw_chance(rng_, 40)) command.rank = static_cast<std::int32_t>(draw_between(rng_, -2, 2));
  if (draw_chance(rng_, 30)) command.eligible = draw_chance(rng_, 60);
  at.client(std::move(command), request_id());
}

/// Whether those that are there, as each of them sees it, are no majority: force-quorum would be
/// next.
bool FleetWorld::is_stranded() const {
  return std::none_of(nodes_.begin(), nodes_.end(), [this](const auto& one) {
    std::int64_t votes = 0;
    std::int64_t there = 0;
    for (const consensus::Member& member : one->config().members) {
      if (member.kind == consensus::MemberKind::kLearner) continue;
      ++votes;
      if (nodes_[static_cast<std::size_t>(member.id - 1)]->has_agent()) ++there;
    }
    return votes > 0 && there * 2 > votes;
  });
}

/// Whether it was away until nobody was left whom it knows: it lets nobody else speak, and must
/// join again.
bool FleetWorld::is_forsaken(const FleetNode& one, const FleetNode& leader) {
  const std::vector<model::Node> members = leader.state()->nodes();
  const bool is_there = std::any_of(members.begin(), members.end(),
                                    [&one](const auto& member) { return member.id == one.id(); });
  return is_there && one.has_agent() &&
         std::none_of(members.begin(), members.end(), [&one](const model::Node& member) {
           return member.id != one.id() && one.state()->find_node(member.id) != nullptr;
         });
}

/// The log has the members of the state, and as many of them vote as shall.
void FleetWorld::check_members(const FleetNode& leader) {
  const std::vector<model::Node> members = leader.state()->nodes();
  std::int64_t candidates = 0;
  std::int64_t voters = 0;
  std::string seen;
  std::string wanted;
  for (const model::Node& one : members) {
    wanted += " " + one.name;
    if (one.kind != model::MemberKind::kStandby) ++candidates;
  }
  for (const consensus::Member& one : leader.config().members) {
    seen += " " + node_name(one.id);
    if (one.kind != consensus::MemberKind::kLearner) ++voters;
  }
  if (seen != wanted) {
    return judge_.fail("members_differ", "the log has" + seen + ", the state" + wanted);
  }
  const std::int64_t right =
      std::min(agent::wanted_voters(static_cast<std::int64_t>(members.size()),
                                    leader.state()->wanted_voters()),
               std::max<std::int64_t>(1, candidates));
  // A scheduler that shall have no vote keeps it until it could hand the role over; a hand-over
  // that failed is tried again minutes later.
  const model::Node* self = leader.state()->find_node(leader.id());
  const bool waits = self != nullptr && self->kind == model::MemberKind::kStandby;
  if (voters != right && !(waits && voters == right + 1)) {
    judge_.fail("voters_wrong", std::to_string(voters) + " of" + seen + " vote instead of " +
                                    std::to_string(right));
  }
}

}  // namespace distcron::sim

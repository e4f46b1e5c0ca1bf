// SPDX-License-Identifier: Apache-2.0
// How the members are, and what the scheduler does about it once a second.
#include <algorithm>
#include <utility>
#include <variant>

#include "agent/fleet.h"
#include "base/mutant.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

constexpr Seconds kEvery{1};
constexpr Micros kHoldMin{10'000'000};
constexpr Micros kHoldMax{600'000'000};
constexpr Micros kLossesCount{1'800'000'000};  // losses of the role older than this are forgiven
constexpr Micros kTransferPause{30'000'000};
constexpr Micros kBackOffMin{60'000'000};
constexpr Micros kBackOffMax{600'000'000};
constexpr Micros kClockMax{5'000'000};  // a host whose clock is off by more shall not schedule
/// ... and by more than this it gets no runs when it issues no permits: it would refuse them as
/// late, or start them early. By permits they start on time; then it is worth a warning.
constexpr Micros kHostClockMax{2'000'000};
constexpr Micros kPermitClockMax{300'000'000};  // more is implausible
constexpr Micros kEchoWait{5'000'000};
constexpr int kDoubtAfter = 10;         // heartbeats without a word
constexpr Micros kDoubtMin{2'500'000};  // who does not vote is spoken to once a second
/// So long the others must not know a voter that leaves before it believes that.
constexpr Seconds kCastOutFor{5};

Micros magnitude(Micros span) {
  return span < Micros(0) ? -span : span;
}

bool has_vote(const consensus::Config& config, consensus::NodeId id) {
  return std::any_of(config.members.begin(), config.members.end(), [id](const auto& member) {
    return member.id == id && member.kind != consensus::MemberKind::kLearner;
  });
}

double to_ms(Micros span) {
  return static_cast<double>(span.count()) / 1'000.0;
}

}  // namespace

void Fleet::on_timer(const Now& now) {
  now_ = now;
  mesh_.on_timer(mesh::MeshTime{now.mono, now.wall});
  watch_leader();
  for (auto at = calls_.begin(); at != calls_.end();) {
    if (at->second.give_up > now.mono) {
      ++at;
      continue;
    }
    const Answered done = std::move(at->second.done);
    at = calls_.erase(at);
    if (done) done(fail(ErrorCode::kUnavailable, "the other member does not answer"));
  }
  if (own_state_().can_start != said_can_start_) report_soon();
  if (now.mono < next_second_) {
    // What it waits for may have been answered in this turn.
    if (vote_waits_for_ != 0 && replica_->is_scheduler() && keeps_role_with(vote_waits_for_))
      lead();
    return;
  }
  next_second_ = now.mono + kEvery;
  refresh_peers();  // tokens run out
  report();
  tell_moved();
  ask_for_members();
  watch_hosts();
  if (replica_->is_scheduler()) lead();
}

/// Every member tells the leader how it is; the leader notes itself.
void Fleet::report() {
  wire::HostState state = own_state_();
  state.life = facts_.life;
  said_can_start_ = state.can_start;
  const consensus::NodeId leader = replica_->raft().leader();
  if (leader == facts_.self) {
    note_report(facts_.self, wire::encode(state));
  } else if (leader != 0) {
    wire::PeerRequest request;
    request.ask = static_cast<std::int32_t>(wire::PeerAsk::kReport);
    if (echo_ && echo_->from == leader) {
      state.echo_life = echo_->said.life;
      state.echo_clock = echo_->said.clock;
      state.echo_age = (now_.mono - echo_->at).count();
    }
    request.bytes = wire::encode(state);
    Call call;
    call.give_up = now_.mono + kEchoWait;
    call.done = [this, leader](const Result<std::string>& answer) {
      if (answer) on_echo(leader, *answer);
    };
    ask(leader, request, std::move(call));
  }
}

/// Notes who lost the role without handing it over: such a member waits longer to get it back.
void Fleet::watch_leader() {
  const consensus::NodeId leader = replica_->raft().leader();
  const bool leads = replica_->is_scheduler();
  if (leads && !leads_) {
    leads_since_ = now_.mono;
    for (auto& [id, seen] : seen_)
      seen.heard_at.reset();
  }
  leads_ = leads;
  if (leader == 0 || leader == last_leader_) return;
  if (last_leader_ != 0 && handed_to_ != leader && leader > last_leader_) {
    losses_[last_leader_].push_back(now_.mono);
  }
  handed_to_ = 0;
  last_leader_ = leader;
}

void Fleet::watch_hosts() {
  if (!leads_) return;
  std::vector<planner::HostSituation> now = situations(now_);
  const bool same =
      std::equal(now.begin(), now.end(), last_situations_.begin(), last_situations_.end(),
                 [](const planner::HostSituation& a, const planner::HostSituation& b) {
                   return a.node_id == b.node_id && a.is_alive == b.is_alive &&
                          a.is_clock_ok == b.is_clock_ok && a.capacity == b.capacity &&
                          a.has_local_runs == b.has_local_runs && a.can_start == b.can_start;
                 });
  if (same) return;
  last_situations_ = std::move(now);
  hosts_changed_ = true;
}

Micros Fleet::hold_of(consensus::NodeId id) const {
  const auto found = losses_.find(id);
  if (found == losses_.end()) return kHoldMin;
  const auto recent = std::count_if(found->second.begin(), found->second.end(),
                                    [this](MonoTime at) { return now_.mono - at < kLossesCount; });
  Micros hold = kHoldMin;
  for (std::ptrdiff_t i = 1; i < recent && hold < kHoldMax; ++i)
    hold *= 2;
  return std::min(hold, kHoldMax);
}

std::optional<MonoTime> Fleet::last_heard(consensus::NodeId id) const {
  std::optional<MonoTime> at;
  for (const consensus::PeerView& peer : replica_->raft().peers()) {
    if (peer.id == id) at = peer.heard_at;
  }
  const auto seen = seen_.find(id);
  if (seen != seen_.end() && seen->second.heard_at && (!at || *at < *seen->second.heard_at)) {
    at = seen->second.heard_at;
  }
  return at;
}

bool Fleet::is_clock_good(consensus::NodeId id, Micros off_max) const {
  const auto seen = seen_.find(id);
  if (seen != seen_.end() && seen->second.heard_at && !seen->second.said.clock_ok) return false;
  const auto peer = peer_state(id);
  return !peer || !peer->clock_offset || magnitude(*peer->clock_offset) <= off_max;
}

MembershipFacts Fleet::membership_facts() const {
  const consensus::Raft& raft = replica_->raft();
  MembershipFacts facts;
  facts.self = facts_.self;
  facts.config = raft.config();
  facts.voters_setting = state_.wanted_voters();
  facts.since_swap = now_.mono - last_swap_;
  for (const model::Node& node : state_.nodes()) {
    MemberFacts member;
    member.id = node.id;
    member.rank = node.rank;
    member.is_standby = node.kind == model::MemberKind::kStandby;
    member.is_witness = node.kind == model::MemberKind::kWitness;
    member.is_draining = node.state == model::NodeState::kDraining;
    member.is_eligible = node.eligible;
    member.hold = hold_of(node.id);
    member.is_clock_good = is_clock_good(node.id, kClockMax);
    const auto seen = seen_.find(node.id);
    if (seen != seen_.end() && seen->second.heard_at) {
      member.alive_for = now_.mono - seen->second.alive_since;
    }
    const auto heard = last_heard(node.id);
    const Micros silent = node.id == facts_.self ? Micros(0)
                          : heard                ? now_.mono - *heard
                                                 : now_.mono - leads_since_;
    member.is_alive = node.id == facts_.self || (heard && silent <= facts_.suspect_after);
    if (!member.is_alive) member.alive_for = Micros(0);
    member.silent_for = silent;
    for (const consensus::PeerView& peer : raft.peers()) {
      if (peer.id == node.id) member.lag = raft.last_index() - peer.match;
    }
    facts.members.push_back(member);
  }
  return facts;
}

/// A scheduler that is the only voter holds its lease alone; with a second one it is as old as what
/// that one last answered, and who does not vote is asked once a second only.
bool Fleet::keeps_role_with(consensus::NodeId voter) const {
  return replica_->raft().holds_lease_with(voter, now_.mono + 2 * facts_.heartbeat);
}

void Fleet::lead() {
  const consensus::Raft& raft = replica_->raft();
  vote_waits_for_ = 0;
  if (raft.transfer_target() != 0) return;
  if (handed_to_ != 0) {
    // Still here: the hand-over has failed.
    handed_to_ = 0;
    next_transfer_ = now_.mono + back_off_;
    back_off_ = std::min(back_off_ * 2, kBackOffMax);
  }
  const MembershipFacts facts = membership_facts();
  if (!raft.is_config_pending()) {
    const MembershipStep step = next_membership_step(facts);
    const Replica::Written ignored = [](const Status&) {};  // looked at again in a second
    if (const auto* add = std::get_if<AddMember>(&step)) {
      replica_->change_member(add->member, false, ignored);
      return;
    }
    if (const auto* drop = std::get_if<DropMember>(&step)) {
      consensus::Member member;
      member.id = drop->id;
      replica_->change_member(member, true, ignored);
      return;
    }
    if (const auto* change = std::get_if<ChangeKind>(&step)) {
      const consensus::Member& member = change->member;
      const bool gains_vote =
          member.kind != consensus::MemberKind::kLearner && !has_vote(raft.config(), member.id);
      if (gains_vote && !keeps_role_with(member.id)) {
        vote_waits_for_ = member.id;
        return;
      }
      if (change->is_swap) last_swap_ = now_.mono;
      replica_->change_member(change->member, false, ignored);
      return;
    }
  }
  if (now_.mono < next_transfer_) return;
  const consensus::NodeId better = preferred_scheduler(facts, facts_.heartbeat);
  if (better == 0) {
    back_off_ = kBackOffMin;
    return;
  }
  handed_to_ = better;
  next_transfer_ = now_.mono + kTransferPause;
  replica_->transfer(better);
}

/// The row of a member goes before its vote. If it stopped in between, the rest of two would be no
/// majority of two, and could not even drop it. So it stays, however long the others are away.
bool Fleet::may_stop() {
  const consensus::Raft& raft = replica_->raft();
  const bool votes = has_vote(raft.config(), facts_.self);
  // A drop of its own vote that is not committed yet: nobody else may have that entry.
  const bool is_dropping = !votes && raft.is_config_pending();
  if ((!votes && !is_dropping) || replica_->is_alone() || mutant("leaves-at-once")) return true;
  if (raft.has_quorum() || !is_cast_out()) {
    cast_out_since_.reset();
    return false;
  }
  if (!cast_out_since_) cast_out_since_ = now_.mono;
  return now_.mono - *cast_out_since_ >= kCastOutFor;
}

bool Fleet::is_cast_out() const {
  bool is_refused = false;
  for (const mesh::PeerState& peer : mesh_.peer_states()) {
    const model::Node* row = state_.find_node(peer.node_id);
    if (row != nullptr && !model::is_member(*row)) continue;  // it leaves as well
    const bool votes = has_vote(replica_->raft().config(), peer.node_id);
    if (votes && peer.is_connected) return false;
    if (votes && peer.is_refused) is_refused = true;
  }
  return is_refused;
}

void Fleet::step_down(consensus::NodeId to) {
  // Who takes over would else give it back at once: the loss counts as one of ours.
  handed_to_ = to;
  next_transfer_ = now_.mono + kTransferPause;
  replica_->transfer(to);
}

/// Who was cut off may have begun to start runs by itself: only a word from after that counts, and
/// one that was long under way does not, as far as its permit tells.
bool Fleet::may_have_local_runs(consensus::NodeId id, const planner::HostSituation& host,
                                const Now& now) const {
  const auto seen = seen_.find(id);
  if (seen == seen_.end() || !seen->second.heard_at) return true;
  const bool is_old = now.mono - *seen->second.heard_at > facts_.suspect_after ||
                      (host.permit && host.permit->age > facts_.suspect_after);
  return is_old || seen->second.said.local_runs > 0;
}

std::vector<planner::HostSituation> Fleet::situations(const Now& now) const {
  std::vector<planner::HostSituation> out;
  for (const model::Node& node : state_.nodes()) {
    planner::HostSituation host;
    host.node_id = node.id;
    host.capacity = facts_.capacity;
    const auto seen = seen_.find(node.id);
    if (seen != seen_.end() && seen->second.heard_at) {
      const wire::HostState& said = seen->second.said;
      host.capacity = said.capacity;
      host.start_rate = said.start_rate;
      host.can_start = said.can_start;
      host.permit = permit_of(seen->second, now);
    }
    host.has_local_runs = may_have_local_runs(node.id, host, now);
    host.is_clock_ok = is_clock_good(node.id, host.permit ? kPermitClockMax : kHostClockMax);
    if (node.id != facts_.self) {
      // Answers count; only of one that has given none to this scheduler any message does, and only
      // against it: it may have died with the one before.
      const auto heard = last_heard(node.id);
      const auto peer = peer_state(node.id);
      const std::optional<MonoTime> before = peer ? peer->last_heard : std::nullopt;
      const MonoTime since = std::min(before.value_or(leads_since_), leads_since_);
      const Micros silent = now.mono - heard.value_or(since);
      const Micros late = kDoubtAfter * facts_.heartbeat;
      host.is_alive = silent <= facts_.suspect_after;
      host.is_doubtful =
          heard ? silent > std::max<Micros>(late, kDoubtMin) : !before || now.mono - *before > late;
      if (!host.is_alive) host.silent_since = now.wall - silent;
    }
    out.push_back(host);
  }
  return out;
}

model::TextList Fleet::clock_warnings() const {
  model::TextList out;
  const consensus::NodeId leader = replica_->raft().leader();
  const bool leads = leader == facts_.self;
  for (const mesh::PeerState& peer : mesh_.peer_states()) {
    if ((!leads && peer.node_id != leader) || !peer.is_connected || !peer.clock_offset) continue;
    if (magnitude(*peer.clock_offset) <= kHostClockMax) continue;
    const model::Node* node = state_.find_node(leads ? peer.node_id : facts_.self);
    const bool is_ahead = (*peer.clock_offset > Micros(0)) == leads;
    const auto tenths = magnitude(*peer.clock_offset).count() / 100'000;
    out.push_back("the clock of host " + (node != nullptr ? node->name : "") + " is " +
                  std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s " +
                  (is_ahead ? "ahead of" : "behind") +
                  " the scheduler's; its runs start by the scheduler's clock");
  }
  return out;
}

model::TextList Fleet::executor_warnings() const {
  model::TextList out;
  if (!leads_) return out;
  for (const planner::HostSituation& host : last_situations_) {
    if (host.node_id == facts_.self || !host.is_alive || host.can_start) continue;
    const model::Node* node = state_.find_node(host.node_id);
    if (node == nullptr || node->kind == model::MemberKind::kWitness) continue;
    out.push_back("host " + node->name + " has no executor: no job starts there");
  }
  return out;
}

std::optional<wire::SchedulerItem> Fleet::scheduler() const {
  const consensus::NodeId leader = replica_->raft().leader();
  if (leader == 0 || !replica_->raft().has_quorum()) return std::nullopt;
  const model::Node* node = state_.find_node(leader);
  return wire::SchedulerItem{leader, node == nullptr ? std::string() : node->name};
}

void Fleet::look_at(wire::NodeItem& item, const Now& now) const {
  const consensus::Raft& raft = replica_->raft();
  item.role = "standby";
  for (const consensus::Member& member : raft.config().members) {
    if (member.id != item.id) continue;
    if (member.kind == consensus::MemberKind::kVoter) item.role = "voter";
    if (member.kind == consensus::MemberKind::kWitness) item.role = "witness";
  }
  std::optional<MonoTime> heard;
  if (raft.role() == consensus::Role::kLeader) heard = last_heard(item.id);
  if (const auto peer = peer_state(item.id); peer) {
    if (peer->rtt) item.rtt_ms = to_ms(*peer->rtt);
    if (peer->clock_offset) item.clock_offset_ms = to_ms(*peer->clock_offset);
    item.link = peer->is_refused      ? "refused"
                : !peer->is_connected ? "down"
                : peer->is_rough      ? "lossy"
                                      : "ok";
    if (peer->last_heard && (!heard || *heard < *peer->last_heard)) heard = peer->last_heard;
  }
  for (const consensus::PeerView& view : raft.peers()) {
    if (view.id == item.id) item.lag_entries = raft.last_index() - view.match;
  }
  Micros silent = facts_.dead_after + kEvery;
  if (item.id == facts_.self) {
    silent = Micros(0);
  } else if (heard) {
    silent = now.mono - *heard;
  }
  item.state = silent <= facts_.suspect_after ? "alive"
               : silent <= facts_.dead_after  ? "suspect"
                                              : "dead";
}

}  // namespace distcron::agent

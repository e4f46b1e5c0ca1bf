// SPDX-License-Identifier: Apache-2.0
// Start, events, and the end of every step: what goes out, and what waits for the disk.
#include "consensus/raft.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/mutant.h"
#include "consensus/raft_impl.h"

namespace distcron::consensus {

Raft::Raft(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Raft::~Raft() = default;

Result<std::unique_ptr<Raft>> Raft::make(const Settings& settings, Stored stored, Dice& dice,
                                         MonoTime now) {
  auto impl = std::make_unique<Impl>();
  impl->settings = settings;
  impl->dice = &dice;
  impl->now = now;
  DC_CHECK_OK(impl->load(std::move(stored)));
  // Unique over restarts, so that an old answer cannot be taken for a new one.
  impl->next_context = dice.draw();
  impl->reset_election_timer();
  if (impl->leads_alone()) impl->election_deadline = now;
  return std::unique_ptr<Raft>(new Raft(std::move(impl)));
}

/// What is applied is committed and is not given out again.
Status Raft::Impl::load(Stored stored) {
  log.reset(stored.base_index, stored.base_term, std::move(stored.base_config),
            stored.base_config_index);
  for (Entry& entry : stored.entries) {
    if (entry.index != log.last_index() + 1 || entry.term < log.last_term()) {
      return fail(ErrorCode::kCorrupt, "cannot load the log: entry " + std::to_string(entry.index) +
                                           " does not follow " + std::to_string(log.last_index()));
    }
    if (Status status = log.append(std::move(entry)); !status) {
      Error error = std::move(status).error();
      error.code = ErrorCode::kCorrupt;
      return fail(std::move(error).within("cannot load the log"));
    }
  }
  if (stored.hard.term < log.last_term()) {
    return fail(ErrorCode::kCorrupt, "cannot load the log: its last term " +
                                         std::to_string(log.last_term()) + " is after term " +
                                         std::to_string(stored.hard.term));
  }
  if (stored.applied > log.last_index()) {
    return fail(ErrorCode::kCorrupt, "cannot load the log: it ends at " +
                                         std::to_string(log.last_index()) + ", and " +
                                         std::to_string(stored.applied) + " is applied");
  }
  hard = durable_hard = handed_hard = stored.hard;
  durable = handed = log.last_index();
  commit = emitted = applied = std::max(stored.base_index, stored.applied);
  return {};
}

Ready Raft::step(MonoTime now, Event event) {
  Impl& self = *impl_;
  const auto before = std::make_tuple(self.role, self.hard.term, self.leader, self.is_scheduler());
  self.out = Ready{};
  self.now = std::max(self.now, now);
  std::visit([&self](auto& one) { self.handle(one); }, event);
  self.finish();
  self.out.role_changed =
      before != std::make_tuple(self.role, self.hard.term, self.leader, self.is_scheduler());
  return std::move(self.out);
}

void Raft::Impl::handle(Tick /*event*/) {
  expire_forwarded(false);
  if (role == Role::kLeader) {
    tick_leader();
  } else {
    tick_follower();
  }
}

void Raft::Impl::handle(Receive& event) {
  receive(event.message);
}

void Raft::Impl::handle(Propose& event) {
  if (role != Role::kLeader) return refuse(event.tag, no_leader());
  if (transfer_to != 0) {
    return refuse(event.tag, {ErrorCode::kUnavailable, "leadership is being handed over", 0, {}});
  }
  std::uint64_t bytes = 0;
  for (const std::string& command : event.commands) {
    if (command.size() > settings.command_bytes_max) {
      return refuse(event.tag, {ErrorCode::kInvalid,
                                "cannot replicate a command of " + std::to_string(command.size()) +
                                    " bytes: at most " + std::to_string(settings.command_bytes_max),
                                0,
                                {}});
    }
    bytes += command.size() + bytes_of({});
  }
  if (event.commands.empty()) {
    return refuse(event.tag, {ErrorCode::kInvalid, "cannot replicate nothing", 0, {}});
  }
  // A proposal of any size may go alone, else it could never go.
  if (uncommitted_bytes > 0 && uncommitted_bytes + bytes > settings.uncommitted_bytes_max) {
    return refuse(
        event.tag,
        {ErrorCode::kUnavailable, "too much is waiting for the other members: try again", 0, {}});
  }
  const Index first = log.last_index() + 1;
  for (std::string& command : event.commands) {
    lead_entry({log.last_index() + 1, hard.term, EntryKind::kCommand, std::move(command)});
  }
  out.accepted.push_back({event.tag, hard.term, first, log.last_index()});
  broadcast();
  advance_commit();
}

/// Readies become durable in their order, so one tag stands for all before it.
void Raft::Impl::handle(Durable event) {
  while (!unsynced.empty() && unsynced.front().tag <= event.tag) {
    durable = std::max(durable, unsynced.front().last);
    durable_hard = unsynced.front().hard;
    unsynced.pop_front();
  }
  count_own_vote();
  advance_commit();
}

void Raft::Impl::handle(AppliedTo event) {
  applied = std::max(applied, std::min(event.index, emitted));
}

/// Only what is applied may go: the owner's snapshot cannot contain more (5.1).
void Raft::Impl::handle(Compact event) {
  const Index index = std::min(event.index, applied);
  if (index > log.base_index()) log.compact(index);
}

/// A leader whose disk is full would promise what it cannot keep, so it makes room for another.
/// Nothing voided was promised: the messages that waited for it are dropped with it.
void Raft::Impl::handle(DiskFull event) {
  if (event.is_full == is_disk_full) return;
  if (mutant("disk-full-acks")) return;
  is_disk_full = event.is_full;
  if (!event.is_full) {
    if (leads_alone()) election_deadline = now;
    return;
  }
  unsynced.clear();
  // The only member has told nobody of what is not stored: that has not happened.
  const bool is_alone =
      config().members.size() == 1 && log.previous_config().config.members.size() == 1;
  if (is_alone && durable < log.last_index()) truncate_from(durable + 1);
  handed = durable;
  handed_hard = durable_hard;
  become_follower(hard.term, role == Role::kLeader ? 0 : leader);
}

void Raft::Impl::handle(MayLead event) {
  settings.may_lead = event.may_lead;
}

void Raft::Impl::emit_committed() {
  // An entry is applied only when it is durable here: else state.db could be ahead of the log.
  const Index limit = std::min(commit, mutant("apply-undurable") ? log.last_index() : durable);
  for (; emitted < limit; ++emitted) {
    out.committed.push_back(log.at(emitted + 1));
  }
}

/// The end of every step. The rule of persistence lives here and in promise(), nowhere else.
void Raft::Impl::finish() {
  emit_committed();
  if (is_disk_full) {
    out.send_when_durable.clear();
    return;
  }
  if (hard != handed_hard) {
    out.hard = hard;
    handed_hard = hard;
  }
  for (; handed < log.last_index(); ++handed) {
    out.entries.push_back(log.at(handed + 1));
  }
  if (!out.hard && out.entries.empty() && out.send_when_durable.empty()) return;
  out.tag = ++last_tag;
  unsynced.push_back({out.tag, hard, handed});
}

/// Sends at once: what a leader says rests on its term, which was durable before it led, and on
/// nothing else (10.2.1: it writes its entries while the followers write theirs).
void Raft::Impl::send(Message message) {
  stamp(message);
  out.send.push_back(std::move(message));
}

/// Sends what binds this member, once its term, its vote and its log up to `needs` are durable
/// (figure 3.1). What is durable already need not wait behind what is being written.
void Raft::Impl::promise(Message message, Index needs) {
  stamp(message);
  const bool is_vote = message.kind == MessageKind::kVoteReply;
  const bool is_ack = message.kind == MessageKind::kAppendReply;
  const bool skips = (is_vote && mutant("vote-not-fsynced")) ||
                     (is_ack && (mutant("ack-before-fsync") || mutant("disk-full-acks"))) ||
                     (message.kind == MessageKind::kVote && is_hasty());
  if ((hard == durable_hard && needs <= durable) || skips) {
    out.send.push_back(std::move(message));
  } else {
    out.send_when_durable.push_back(std::move(message));
  }
}

void Raft::Impl::stamp(Message& message) const {
  message.from = settings.self;
  message.cluster = settings.cluster;
  message.incarnation = settings.incarnation;
  if (message.term == 0) message.term = hard.term;
}

Message Raft::Impl::reply_to(const Message& message, MessageKind kind) const {
  Message reply;
  reply.kind = kind;
  reply.to = message.from;
  reply.term = hard.term;
  reply.round = message.round;
  reply.context = message.context;
  return reply;
}

void Raft::Impl::report(std::string violation) {
  if (out.violation.empty()) out.violation = std::move(violation);
}

Status Raft::Impl::append(Entry entry) {
  return log.append(std::move(entry));
}

/// What is on disk after `index` counts no longer, nor does what is on its way there.
void Raft::Impl::truncate_from(Index index) {
  log.truncate_from(index);
  durable = std::min(durable, index - 1);
  handed = std::min(handed, index - 1);
  for (Unsynced& one : unsynced) {
    one.last = std::min(one.last, index - 1);
  }
}

MonoTime Raft::next_tick() const {
  const Impl& self = *impl_;
  MonoTime at = self.election_deadline;
  if (self.role == Role::kLeader && self.progress.empty()) {
    at = self.now + std::chrono::hours(1);  // nobody to be heard by
  } else if (self.role == Role::kLeader) {
    at = std::min({self.heartbeat_at, self.learner_heartbeat_at, self.mark_at});
    if (self.transfer_to != 0) at = std::min(at, self.transfer_deadline);
    if (!self.is_sole_voter()) at = std::min(at, self.quorum_contact() + self.settings.election);
  }
  for (const ForwardedRead& read : self.forwarded) {
    at = std::min(at, read.deadline);
  }
  return at;
}

Role Raft::role() const {
  return impl_->role;
}

Term Raft::term() const {
  return impl_->hard.term;
}

NodeId Raft::vote() const {
  return impl_->hard.vote;
}

NodeId Raft::leader() const {
  return impl_->leader;
}

bool Raft::is_scheduler() const {
  return impl_->is_scheduler();
}

bool Raft::has_quorum() const {
  return impl_->role == Role::kLeader ? impl_->holds_lease() : impl_->leader != 0;
}

bool Raft::holds_lease_with(NodeId joining, MonoTime until) const {
  const MonoTime contact = impl_->quorum_contact(joining);
  return impl_->role == Role::kLeader && contact + impl_->settings.election > until;
}

Index Raft::commit_index() const {
  return impl_->commit;
}

Index Raft::last_index() const {
  return impl_->log.last_index();
}

Index Raft::durable_index() const {
  return impl_->durable;
}

Index Raft::first_index() const {
  return impl_->log.base_index() + 1;
}

const Config& Raft::config() const {
  return impl_->config();
}

bool Raft::is_config_pending() const {
  return impl_->is_config_pending();
}

std::vector<PeerView> Raft::peers() const {
  std::vector<PeerView> views;
  const Settings& settings = impl_->settings;
  for (const Progress& peer : impl_->progress) {
    const Micros silence_max =
        settings.election +
        (peer.kind == MemberKind::kLearner ? settings.learner_heartbeat : Micros{0});
    const bool is_recent = peer.heard_at && *peer.heard_at + silence_max > impl_->now;
    views.push_back(
        {peer.id, peer.kind, peer.match, is_recent, peer.heard_at, peer.flow == Flow::kSnapshot});
  }
  return views;
}

NodeId Raft::transfer_target() const {
  return impl_->transfer_to;
}

Config Raft::config_at(Index index, Index& config_index) const {
  const ConfigPoint& point = impl_->log.config_point_at(index);
  config_index = point.index;
  return point.config;
}

Term Raft::term_at(Index index) const {
  return impl_->log.term_at(index);
}

}  // namespace distcron::consensus

// SPDX-License-Identifier: Apache-2.0
// What a process does with the Readies of its core. Snapshots are in host_snapshot.cc.
#include "sim/host.h"

#include <algorithm>
#include <utility>

#include "sim/world.h"

namespace distcron::sim {

using consensus::Entry;
using consensus::Index;
using consensus::NodeId;
using consensus::Raft;
using consensus::Ready;

namespace {

constexpr SimTime kForever = 3'600'000'000;  ///< Timers beyond it are none.

std::uint64_t seed_of(const World& world, NodeId id, std::uint64_t purpose) {
  return mix64(world.script().seed ^ mix64(static_cast<std::uint64_t>(id) << 8U | purpose));
}

consensus::Settings settings_of(const Options& o, NodeId id) {
  const auto size = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  consensus::Settings s;
  s.self = id;
  s.cluster = kCluster;
  s.incarnation = kIncarnation;
  s.election = Micros(o.election_us);
  s.heartbeat = Micros(o.heartbeat_us);
  s.learner_heartbeat = Micros(o.learner_heartbeat_us);
  s.append_bytes_max = size(o.append_bytes);
  s.append_entries_max = size(o.append_entries);
  s.inflight_messages_max = size(o.inflight_messages);
  s.inflight_bytes_max = size(o.inflight_bytes);
  s.uncommitted_bytes_max = size(o.uncommitted_bytes);
  s.chunk_bytes = size(o.chunk_bytes);
  return s;
}

}  // namespace

Host::Host(World& world, NodeId id, bool is_joining)
    : world_(world),
      id_(id),
      dice_(seed_of(world, id, 1)),
      rng_(seed_of(world, id, 2)),
      disk_(seed_of(world, id, 3)) {
  clock.start(world.now(), static_cast<SimTime>(rng_.below(1'000'000'000)));
  RaftDb db;
  Machine machine;
  if (!is_joining) {
    db.base_config = world.first_config();
    machine.config = db.base_config;
  }
  disk_.format(std::move(db), std::move(machine));
  world_.oracle().add_node(id, disk_);
}

void Host::start() {
  ++boot_;
  const RaftDb& db = disk_.raft_db();
  consensus::Stored stored{.hard = db.hard,
                           .base_index = db.base_index,
                           .base_term = db.base_term,
                           .base_config = db.base_config,
                           .base_config_index = db.base_config_index,
                           .entries = db.entries,
                           .applied = disk_.state_db().applied};
  auto made = Raft::make(settings_of(world_.options(), id_), std::move(stored), *this,
                         MonoTime(Micros(clock.at(world_.now()))));
  if (!made) {
    world_.oracle().fail("restart",
                         "node " + std::to_string(id_) +
                             " cannot start from what its disk kept: " + made.error().message);
    return;
  }
  raft_ = *std::move(made);
  machine_ = disk_.state_db();
  world_.oracle().on_start(id_, *raft_);
  if (world_.now() < full_until) post(EventKind::kDiskState, 0, 1);
  arm_timer();
}

void Host::crash() {
  if (!is_up()) return;
  world_.oracle().on_crash(id_);
  Marks& marks = world_.trace().marks;
  if (raft_->role() == consensus::Role::kLeader) marks.add(Situation::kLeaderCrashed);
  if (incoming_.is_installing) marks.add(Situation::kInstallLost);
  const std::int64_t unsynced = disk_.unsynced();
  const std::int64_t kept = disk_.crash(world_.options().is_torn != 0);
  world_.trace().add(
      {.at = world_.now(), .mark = Mark::kCrash, .a = id_, .b = unsynced - kept, .c = kept});
  if (kept < unsynced) marks.add(Situation::kUnsyncedLost);
  if (disk_.was_torn()) marks.add(Situation::kWriteTorn);
  if (disk_.state_db().applied < machine_.applied) marks.add(Situation::kStateBehindLog);
  ++boot_;
  raft_.reset();
  next_.clear();
  outgoing_.clear();
  is_full_ = false;
  tick_at_ = 0;
  to_apply_.clear();
  is_apply_posted_ = false;
  is_checkpoint_posted_ = false;
  calls_.clear();
  acks_.clear();
  reads_.clear();
  snapshots_.clear();
  served_until_ = 0;
  chunks_.clear();
  stored_.clear();
  // A half-received snapshot is a file of its own: it may be there again, or not.
  if (incoming_.is_installing || rng_.below(2) == 0) incoming_ = Incoming{};
}

/// For good. The judge goes on counting the disk: what it has acknowledged may still arrive.
void Host::stop() {
  crash();
  is_stopped_ = true;
}

void Host::post(EventKind kind, SimTime delay, std::int64_t arg) {
  world_.post({.at = world_.now() + delay,
               .kind = kind,
               .node = static_cast<std::uint16_t>(id_),
               .boot = boot_,
               .arg = arg});
}

/// Steps the core. Events that the step's own Ready causes follow before anything else happens.
void Host::step(consensus::Event event) {
  next_.push_back(std::move(event));
  if (is_stepping_) return;
  is_stepping_ = true;
  for (std::size_t i = 0; i < next_.size() && !world_.oracle().violation(); ++i) {
    consensus::Event current = std::move(next_[i]);
    Ready ready = raft_->step(MonoTime(Micros(clock.at(world_.now()))), std::move(current));
    world_.oracle().on_step(id_, ready);
    if (!world_.oracle().violation()) perform(ready);
  }
  next_.clear();
  is_stepping_ = false;
  arm_timer();
}

void Host::perform(Ready& ready) {
  if (ready.role_changed && raft_->role() == consensus::Role::kLeader && handed_over_) {
    world_.trace().marks.add(Situation::kHandedOver);
    handed_over_ = false;
  }
  for (consensus::Message& message : ready.send)
    world_.send(std::move(message));
  if (ready.tag != 0) write(ready);
  if (!ready.committed.empty()) take_committed(ready);
  answer_clients(ready);
  for (const consensus::ChunkWanted& wanted : ready.chunks_wanted)
    read_chunk(wanted);
  if (ready.chunk_received) receive_chunk(*ready.chunk_received);
}

void Host::arm_timer() {
  if (!is_up()) return;
  const SimTime reading = raft_->next_tick().time_since_epoch().count();
  if (reading > clock.at(world_.now()) + kForever) return;
  const SimTime at = std::max(world_.now() + 1, clock.when(reading));
  if (tick_at_ != 0 && tick_at_ <= at) return;
  tick_at_ = at;
  post(EventKind::kTick, at - world_.now(), 0);
}

void Host::on_tick() {
  if (world_.now() < tick_at_) return;
  tick_at_ = 0;
  if (clock.at(world_.now()) >= raft_->next_tick().time_since_epoch().count()) {
    step(consensus::Tick{});
  } else {
    arm_timer();
  }
}

void Host::on_message(consensus::Message message) {
  handed_over_ = message.kind == consensus::MessageKind::kTimeoutNow ||
                 (handed_over_ && message.kind == consensus::MessageKind::kVoteReply);
  step(consensus::Receive{.message = std::move(message)});
}

// --- raft.db -------------------------------------------------------------------------------------

void Host::write(Ready& ready) {
  const bool needs_write = ready.hard.has_value() || !ready.entries.empty();
  if (needs_write && is_full_) {
    world_.oracle().fail("disk_full",
                         "node " + std::to_string(id_) + " wants to write though its disk is full");
    return;
  }
  outgoing_.push_back(Outgoing{.tag = ready.tag,
                               .needs_write = needs_write,
                               .messages = std::move(ready.send_when_durable)});
  if (needs_write) {
    DiskWrite write;
    write.tag = ready.tag;
    write.hard = ready.hard;
    write.entries = std::move(ready.entries);
    disk_.queue(std::move(write));
    begin_flush();
  } else {
    const std::uint64_t durable = send_durable(0);
    if (durable != 0) step(consensus::Durable{.tag = durable});
  }
}

void Host::begin_flush() {
  if (disk_.is_flushing() || !disk_.has_queued() || world_.now() < full_until) return;
  disk_.begin_flush();
  const SimTime delay = world_.disk_delay(*this);
  post(EventKind::kFlushed, delay, ++flush_);
  if (doomed_for < 0 || (is_doomed_installing && !incoming_.is_installing)) return;
  post(EventKind::kDoomed, draw_between(rng_, 0, delay), doomed_for);
  doomed_for = -1;
}

void Host::on_flushed(std::int64_t flush) {
  if (flush != flush_ || !disk_.is_flushing()) return;
  std::uint64_t durable = 0;
  disk_.end_flush([&](const DiskWrite& write) {
    switch (write.kind) {
      case DiskWrite::Kind::kReady:
        durable = std::max(durable, send_durable(write.tag));
        break;
      case DiskWrite::Kind::kCompact:
        break;
      case DiskWrite::Kind::kInstall:
        if (durable != 0) step(consensus::Durable{.tag = std::exchange(durable, 0)});
        installed(write);
        break;
    }
  });
  // One report for all of the flush.
  if (durable != 0) step(consensus::Durable{.tag = durable});
  begin_flush();
}

/// Everything up to `tag` is durable: sends what waited for that, and what waits for nothing of its
/// own. Returns the last tag that is done; 0: none.
std::uint64_t Host::send_durable(std::uint64_t tag) {
  std::uint64_t last = 0;
  while (!outgoing_.empty() && (outgoing_.front().tag <= tag || !outgoing_.front().needs_write)) {
    Outgoing out = std::move(outgoing_.front());
    outgoing_.pop_front();
    last = out.tag;
    for (consensus::Message& message : out.messages) {
      world_.send(std::move(message));
    }
  }
  return last;
}

void Host::on_disk_state(bool is_full) {
  if (is_full == is_full_ || is_full != (world_.now() < full_until)) return;
  is_full_ = is_full;
  if (is_full && raft_->role() == consensus::Role::kLeader) {
    world_.trace().marks.add(Situation::kLeaderDiskFull);
  }
  world_.oracle().on_disk_full(id_, is_full);
  std::vector<DiskWrite> dropped;
  if (is_full) {
    ++flush_;
    outgoing_.clear();
    dropped = disk_.drop_unsynced();
  }
  // The core learns first that nothing of what it handed out is stored: a later Ready that needs no
  // write would else stand for what was dropped before it.
  step(consensus::DiskFull{.is_full = is_full});
  for (DiskWrite& write : dropped) {
    if (write.kind == DiskWrite::Kind::kCompact) {
      disk_.queue(std::move(write));
    } else {
      step(consensus::ChunkStored{.index = write.machine->applied, .next_offset = 0});
      incoming_ = Incoming{};
    }
  }
  begin_flush();
}

// --- state.db ------------------------------------------------------------------------------------

void Host::take_committed(Ready& ready) {
  for (Entry& entry : ready.committed)
    to_apply_.push_back(std::move(entry));
  if (world_.options().apply_us == 0) {
    on_apply();
  } else if (!is_apply_posted_) {
    is_apply_posted_ = true;
    post(EventKind::kApply, world_.options().apply_us, 0);
  }
}

void Host::on_apply() {
  is_apply_posted_ = false;
  while (!to_apply_.empty()) {
    const Entry entry = std::move(to_apply_.front());
    to_apply_.pop_front();
    if (entry.index <= machine_.applied) continue;
    Command command;
    const bool is_repeated =
        decode_command(entry.data, command) && command.seq <= machine_.clients[command.client].seq;
    if (is_repeated) world_.trace().marks.add(Situation::kCommandRepeated);
    if (!machine_.apply(entry)) {
      world_.oracle().fail("client_order", "node " + std::to_string(id_) + ": entry " +
                                               std::to_string(entry.index) +
                                               " is out of its client's order");
    }
    world_.oracle().on_applied(id_, machine_);
    if (!acks_.empty()) answer_acks(entry);
  }
  disk_.see_state(machine_);
  step(consensus::AppliedTo{.index = machine_.applied});
  answer_reads();
  consider_snapshot();
}

// --- clients -------------------------------------------------------------------------------------

void Host::on_request(std::int64_t client) {
  const Request request = world_.clients().request_of(client);
  calls_.push_back(PendingCall{.tag = ++next_tag_, .client = client, .attempt = request.attempt});
  if (calls_.size() > 16) calls_.erase(calls_.begin());
  if (request.is_read) {
    step(consensus::Read{.tag = next_tag_});
    return;
  }
  consensus::Propose propose{.tag = next_tag_, .commands = {}};
  for (std::uint64_t i = 0; i < request.count; ++i) {
    const Command command{.client = static_cast<std::uint64_t>(client), .seq = request.seq + i};
    propose.commands.push_back(encode_command(command, request.payload));
  }
  step(std::move(propose));
}

void Host::answer_clients(Ready& ready) {
  const auto take = [this](std::uint64_t tag) {
    PendingCall call;
    const auto found = std::find_if(calls_.begin(), calls_.end(),
                                    [tag](const PendingCall& c) { return c.tag == tag; });
    if (found == calls_.end()) return call;
    call = *found;
    calls_.erase(found);
    return call;
  };
  for (const consensus::Accepted& accepted : ready.accepted) {
    const PendingCall call = take(accepted.tag);
    if (call.tag == 0) continue;
    acks_.push_back(PendingAck{.last = accepted.last,
                               .term = accepted.term,
                               .client = call.client,
                               .attempt = call.attempt});
  }
  for (const consensus::Refused& refused : ready.refused) {
    world_.trace().add({.at = world_.now(), .mark = Mark::kRefused, .a = id_});
    const PendingCall call = take(refused.tag);
    if (call.tag != 0) world_.clients().on_failed(call.client, call.attempt);
  }
  for (const consensus::ReadReady& read : ready.reads) {
    const PendingCall call = take(read.tag);
    if (call.tag == 0) continue;
    if (read.index == 0) {
      world_.clients().on_failed(call.client, call.attempt);
    } else {
      reads_.push_back(
          PendingRead{.index = read.index, .client = call.client, .attempt = call.attempt});
    }
  }
  if (!ready.reads.empty()) answer_reads();
}

void Host::answer_acks(const Entry& entry) {
  std::erase_if(acks_, [&](const PendingAck& ack) {
    if (ack.last > entry.index) return false;
    if (ack.last == entry.index && ack.term == entry.term) {
      const Machine::ClientRow& row = machine_.clients[static_cast<std::size_t>(ack.client)];
      world_.clients().on_written(ack.client, ack.attempt, row, id_);
    } else {
      world_.clients().on_failed(ack.client, ack.attempt);
    }
    return true;
  });
}

void Host::answer_reads() {
  std::erase_if(reads_, [&](const PendingRead& read) {
    if (read.index > machine_.applied) return false;
    if (raft_->role() != consensus::Role::kLeader) {
      world_.trace().marks.add(Situation::kReadThroughFollower);
    }
    world_.clients().on_read(read.client, read.attempt, read.index, id_);
    return true;
  });
}

}  // namespace distcron::sim

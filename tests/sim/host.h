// SPDX-License-Identifier: Apache-2.0
// One simulated process: owns a core, does what its Readies ask for, and reports back, as the agent
// does. Crashes at any time: everything here but the disk and the clock is then gone.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "consensus/raft.h"
#include "sim/disk.h"
#include "sim/machine.h"
#include "sim/queue.h"

namespace distcron::sim {

class World;

/// Clock of a node (boottime): may jump forward and run at its own rate.
class NodeClock {
 public:
  void start(SimTime now, SimTime reading) {
    from_ = now;
    reading_ = reading;
  }

  void jump(SimTime now, SimTime by) { start(now, at(now) + by); }

  void run_at(SimTime now, std::int64_t millionths) {
    start(now, at(now));
    millionths_ = millionths;
  }

  [[nodiscard]] SimTime at(SimTime now) const {
    const SimTime passed = now - from_;
    return reading_ + passed + passed * millionths_ / 1'000'000;
  }

  /// When the clock shows `reading`, or soon after.
  [[nodiscard]] SimTime when(SimTime reading) const {
    const SimTime passed = reading - reading_;
    return from_ + passed * 1'000'000 / (1'000'000 + millionths_) + 1;
  }

 private:
  SimTime from_ = 0;
  SimTime reading_ = 0;
  std::int64_t millionths_ = 0;
};

class Host final : public consensus::Dice {
 public:
  Host(World& world, consensus::NodeId id, bool is_joining);

  /// Ends the process. What is on the disk is decided now.
  void crash();
  /// Begins a process from what is on the disk.
  void start();
  void stop();

  // Things that happen to it.
  void on_message(consensus::Message message);
  void on_tick();
  void on_flushed(std::int64_t flush);
  void on_apply();
  void on_checkpoint(std::int64_t number);
  void on_chunk_read();
  void on_chunk_stored();
  void on_request(std::int64_t client);
  void on_disk_state(bool is_full);

  void order(consensus::Event event) { step(std::move(event)); }

  void make_snapshot();

  /// The clock has been set: its timer may be due now.
  void rearm() {
    tick_at_ = 0;
    arm_timer();
  }

  [[nodiscard]] std::uint64_t draw() override { return dice_.draw(); }

  [[nodiscard]] consensus::NodeId id() const { return id_; }

  [[nodiscard]] bool is_up() const { return raft_ != nullptr; }

  [[nodiscard]] bool is_stopped() const { return is_stopped_; }

  [[nodiscard]] const consensus::Raft& raft() const { return *raft_; }

  [[nodiscard]] const Machine& machine() const { return machine_; }

  [[nodiscard]] const Disk& disk() const { return disk_; }

  [[nodiscard]] Disk& disk() { return disk_; }

  [[nodiscard]] std::uint32_t boot() const { return boot_; }

  // Set by the world's faults.
  NodeClock clock;
  SimTime down_until = 0;
  SimTime paused_until = 0;
  bool was_paused = false;  ///< Has not yet done anything since.
  SimTime full_until = 0;
  SimTime doomed_for = -1;            ///< 0 or more: the next write brings a crash of this length.
  bool is_doomed_installing = false;  ///< Only the write of a snapshot does.
  SimTime slow_until = 0;
  SimTime slow_by = 0;

 private:
  struct Outgoing {
    std::uint64_t tag = 0;
    bool needs_write = false;
    std::vector<consensus::Message> messages;
  };

  struct PendingAck {
    consensus::Index last = 0;
    consensus::Term term = 0;
    std::int64_t client = 0;
    std::int64_t attempt = 0;
  };

  struct PendingCall {
    std::uint64_t tag = 0;
    std::int64_t client = 0;
    std::int64_t attempt = 0;
  };

  struct PendingRead {
    consensus::Index index = 0;
    std::int64_t client = 0;
    std::int64_t attempt = 0;
  };

  struct Snapshot {
    Machine state;
    std::string bytes;
    std::uint32_t crc = 0;
  };

  struct Incoming {
    consensus::Index index = 0;
    consensus::Term term = 0;
    std::uint64_t size = 0;
    std::uint32_t crc = 0;
    std::string bytes;
    bool is_installing = false;
  };

  void step(consensus::Event event);
  void perform(consensus::Ready& ready);
  void write(consensus::Ready& ready);
  void begin_flush();
  std::uint64_t send_durable(std::uint64_t tag);
  void take_committed(consensus::Ready& ready);
  void consider_snapshot();
  void answer_clients(consensus::Ready& ready);
  void answer_acks(const consensus::Entry& entry);
  void answer_reads();
  void read_chunk(const consensus::ChunkWanted& wanted);
  void receive_chunk(const consensus::Message& message);
  void finish_incoming();
  void installed(const DiskWrite& write);
  void arm_timer();
  void post(EventKind kind, SimTime delay, std::int64_t arg);

  World& world_;
  consensus::NodeId id_;
  Rng dice_;
  Rng rng_;
  Disk disk_;
  bool is_stopped_ = false;
  std::uint32_t boot_ = 0;

  std::unique_ptr<consensus::Raft> raft_;
  Machine machine_;
  std::vector<consensus::Event> next_;  ///< Of the step under way, done after it.
  bool is_stepping_ = false;
  std::deque<Outgoing> outgoing_;
  std::int64_t flush_ = 0;
  bool is_full_ = false;
  bool handed_over_ = false;  ///< The last messages were an order to lead and votes.
  SimTime tick_at_ = 0;
  std::deque<consensus::Entry> to_apply_;
  bool is_apply_posted_ = false;
  Machine checkpoint_;
  bool is_checkpoint_posted_ = false;
  std::int64_t checkpoint_number_ = 0;
  std::vector<PendingCall> calls_;
  std::vector<PendingAck> acks_;
  std::vector<PendingRead> reads_;
  std::uint64_t next_tag_ = 0;
  std::deque<Snapshot> snapshots_;
  consensus::Index served_index_ = 0;  ///< The log stays from here on, until
  SimTime served_until_ = 0;
  std::deque<consensus::ChunkRead> chunks_;  ///< Being read.
  Incoming incoming_;
  std::deque<consensus::ChunkStored> stored_;  ///< Answers to come.
};

}  // namespace distcron::sim

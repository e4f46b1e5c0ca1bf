// SPDX-License-Identifier: Apache-2.0
// Virtual time: one queue of events, ordered by (time, sequence). Nothing in the simulator happens
// outside it, so one seed gives one history. One world, one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace distcron::sim {

using SimTime = std::int64_t;  ///< Microseconds of virtual time since the start of the world.

enum class EventKind : std::uint8_t {
  kDeliver,        ///< A message arrives; arg: its place in the pool.
  kTick,           ///< A timer of the core may be due.
  kFlushed,        ///< A write of the disk is on it; arg: number of the flush.
  kApply,          ///< The state machine takes what is committed.
  kCheckpoint,     ///< state.db has been synced; arg: number of the checkpoint.
  kChunkRead,      ///< A piece of a snapshot has been read.
  kChunkStored,    ///< A piece of a snapshot has been stored.
  kDiskState,      ///< A disk is full (arg 1) or has room again (arg 0).
  kDoomed,         ///< A host crashes amid a write; arg: for how long.
  kFlood,          ///< The next command of the flood.
  kRequest,        ///< A client's request reaches a host; arg: the client.
  kClientTimeout,  ///< arg: client and number of the attempt.
  kClientStart,    ///< A client begins its next request; arg: the client.
  kOpStart,        ///< A fault or an order of the script begins; arg: its place there.
  kOpEnd,          ///< A crashed node may start again; arg: the node.
};

struct QueuedEvent {
  SimTime at = 0;
  std::uint64_t seq = 0;
  EventKind kind = EventKind::kTick;
  std::uint16_t node = 0;  ///< 0: no host's.
  std::uint32_t boot = 0;  ///< Dropped when the host has restarted since; 0: never dropped.
  std::int64_t arg = 0;
};

class EventQueue {
 public:
  void push(QueuedEvent event) {
    event.seq = ++seq_;
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end(), is_later);
  }

  [[nodiscard]] bool is_empty() const { return heap_.empty(); }

  [[nodiscard]] SimTime next_at() const { return heap_.front().at; }

  QueuedEvent pop() {
    std::pop_heap(heap_.begin(), heap_.end(), is_later);
    const QueuedEvent event = heap_.back();
    heap_.pop_back();
    return event;
  }

 private:
  static bool is_later(const QueuedEvent& a, const QueuedEvent& b) {
    return a.at != b.at ? a.at > b.at : a.seq > b.seq;
  }

  std::vector<QueuedEvent> heap_;
  std::uint64_t seq_ = 0;
};

}  // namespace distcron::sim

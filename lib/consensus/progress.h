// SPDX-License-Identifier: Apache-2.0
// Progress: what a leader knows of one peer, and how it sends to it. Plain state of Raft.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/time.h"
#include "consensus/message.h"

namespace distcron::consensus {

/// How entries go to a peer (10.2.1: pipelining; 5: snapshots).
enum class Flow : std::uint8_t {
  kProbe,     ///< One message, then wait: it is not known where the logs agree.
  kPipeline,  ///< As many as the window takes, before the answers.
  kSnapshot,  ///< The entries that it needs are gone.
};

struct Inflight {
  Index last = 0;
  std::uint64_t bytes = 0;
  std::uint64_t round = 0;  ///< Heartbeat round under way when it was sent.
};

struct Progress {
  NodeId id = 0;
  MemberKind kind = MemberKind::kVoter;
  Flow flow = Flow::kProbe;
  Index match = 0;  ///< Known durable there.
  Index next = 1;
  Index commit_sent = 0;  ///< Commit index that it has been told, as far as it could take it.

  bool is_probe_sent = false;
  std::uint64_t probe_round = 0;
  std::uint64_t check_round = 0;  ///< Last round in which lost messages were asked about.
  std::uint64_t sends = 0;        ///< Append messages so far; their numbers come back in answers.
  std::uint64_t pipelined_after = 0;  ///< `sends` when pipelining last began.
  std::deque<Inflight> inflight;
  std::uint64_t inflight_bytes = 0;

  std::optional<MonoTime> heard_at;
  MonoTime contact_at = MonoTime::min();  ///< When the newest round it answered was sent.
  std::uint64_t acked_round = 0;

  Index snapshot_index = 0;
  std::uint64_t snapshot_offset = 0;
  bool is_chunk_asked = false;  ///< The owner is reading it.
  std::uint64_t chunk_round = 0;

  void clear_inflight() {
    inflight.clear();
    inflight_bytes = 0;
  }

  void probe_from(Index index) {
    flow = Flow::kProbe;
    next = index;
    is_probe_sent = false;
    clear_inflight();
  }

  void pipeline_from(Index index) {
    flow = Flow::kPipeline;
    pipelined_after = sends;
    next = index;
    is_probe_sent = false;
    clear_inflight();
  }

  void sent(Index last, std::uint64_t bytes, std::uint64_t round) {
    inflight.push_back({last, bytes, round});
    inflight_bytes += bytes;
  }

  void acked(Index index) {
    while (!inflight.empty() && inflight.front().last <= index) {
      inflight_bytes -= inflight.front().bytes;
      inflight.pop_front();
    }
  }
};

}  // namespace distcron::consensus

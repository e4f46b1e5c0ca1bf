// SPDX-License-Identifier: Apache-2.0
// What Replica asks of its surroundings for proposals: Link, the way to the other members, and
// Patience, how long who proposes waits; and Heard, what became of a message. Loop thread only.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "consensus/events.h"
#include "consensus/message.h"

namespace distcron::agent {

/// The way to the other members. Messages may be lost.
class Link {
 public:
  virtual ~Link() = default;
  virtual void send(const consensus::Message& message) = 0;
  /// Asks the leader to append an encoded entry; its answer comes by Replica::on_forwarded().
  /// `is_report`: of a host about its runs, not a client's change.
  virtual void forward(consensus::NodeId to, std::uint64_t tag, const std::string& entry,
                       bool is_report) = 0;
  /// Answers another member's forward().
  virtual void answer(consensus::NodeId to, std::uint64_t tag, const Result<std::int64_t>& index,
                      consensus::Term term) = 0;
};

/// How long a proposal waits for a leader, and what it is told when the outcome is not known.
enum class Patience : std::uint8_t {
  kThisTerm,  ///< The scheduler's: refused unless this member leads now.
  kClient,    ///< Refused after kClientWait, also when it may still take effect.
  kForever,   ///< The host's own: `done` is called when the outcome is certain.
};

/// Of a message between members.
enum class Heard : std::uint8_t {
  kTaken,
  kOldLeader,     ///< Of a term that is over: without effect.
  kSecondLeader,  ///< Who sent it does not lead in this term: without effect.
};

}  // namespace distcron::agent

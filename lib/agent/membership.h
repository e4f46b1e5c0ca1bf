// SPDX-License-Identifier: Apache-2.0
// Membership: what the scheduler does, one step at a time, about who votes and who leads. Pure: a
// decision from facts. The rules are of docs/explanation/scheduler-role.md: the wanted number of
// voters follows the number of members; the lowest (rank, id) that are fit hold the votes; the
// lowest fit voter leads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "consensus/message.h"

namespace distcron::agent {

/// A member as its scheduler sees it.
struct MemberFacts {
  consensus::NodeId id = 0;
  std::int32_t rank = 0;
  bool is_standby = false;  ///< Shall never vote.
  bool is_witness = false;  ///< Shall vote, never lead.
  bool is_draining = false;
  bool is_eligible = true;  ///< May be the scheduler.
  bool is_alive = false;    ///< Heard of lately.
  bool is_clock_good = true;
  Micros alive_for{0};      ///< Without a break, since its present boot.
  Micros silent_for{0};     ///< 0 while alive.
  std::int64_t lag = 0;     ///< Entries behind the scheduler.
  Micros hold{10'000'000};  ///< Must be alive so long before it gets the role back.
};

struct MembershipFacts {
  consensus::NodeId self = 0;
  std::vector<MemberFacts> members;  ///< All of the replicated state.
  consensus::Config config;          ///< Of the log.
  std::int64_t voters_setting = 5;   ///< Wanted from seven members on.
  Micros since_swap{0};              ///< Since the last swap of voters.
};

struct AddMember {
  consensus::Member member;
};

struct DropMember {
  consensus::NodeId id = 0;
};

struct ChangeKind {
  consensus::Member member;
  bool is_swap = false;  ///< Begins a swap towards a lower id.
};

using MembershipStep = std::variant<std::monostate, AddMember, DropMember, ChangeKind>;

/// How many of `members` shall vote: 1, 2, 3 from three, 5 from five, `setting` from seven on.
[[nodiscard]] std::int64_t wanted_voters(std::int64_t members, std::int64_t setting);

/// The next change of members, or nothing. At most one is under way at a time.
[[nodiscard]] MembershipStep next_membership_step(const MembershipFacts& facts);

/// Who should lead instead of `self`; 0: nobody.
[[nodiscard]] consensus::NodeId preferred_scheduler(const MembershipFacts& facts, Micros heartbeat);

}  // namespace distcron::agent

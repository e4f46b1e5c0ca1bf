// SPDX-License-Identifier: Apache-2.0
// What members of the cluster ask each other beside consensus, and what a host that joins says and
// is told. As wire/messages.h. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/fleet.h"
#include "wire/messages.h"

namespace distcron::wire {

/// Numbers travel: append only.
enum class PeerAsk : std::int32_t {
  kPropose = 1,  ///< `bytes` is a model::Entry for the log of the leader.
  kCall = 2,     ///< `bytes` is a wire::Request of the holder of `public_key`.
  kReport = 3,   ///< A member tells the leader how it is: `bytes` is a HostState. Answered with a
                 ///< ReportReply when it issues permits.
  kJoin = 4,     ///< `bytes` is a JoinRequest that reached a member that does not lead;
                 ///< `public_key` names the token that was shown.
  kMoved = 5,    ///< The sender has other addresses than the state says: `bytes` is a model::Node
                 ///< with them. It may be that nobody can tell it who leads before that is known.
  kMembers = 6,  ///< Who the members are: the sender hears of no leader and may not know that one.
                 ///< Answered with a JoinReply that has `members` only.
};

struct PeerRequest {
  std::int32_t ask = 0;  ///< A PeerAsk.
  std::string public_key;
  std::string bytes;
  bool is_report = false;  ///< kPropose: what a host says of its runs, not a client's change.
};

DC_VISIT(PeerRequest, m) {
  visit(Field{"ask", ""}, m.ask);
  visit(Field{"public_key", ""}, m.public_key);
  visit(Field{"bytes", ""}, m.bytes);
  visit(Field{"is_report", ""}, m.is_report);
}

struct PeerReply {
  std::int32_t code = 0;  ///< 0: good, else ErrorCode + 1.
  std::string message;
  std::string hint;
  std::int64_t index = 0;  ///< kPropose: the entry's place in the log.
  std::int64_t term = 0;
  std::string bytes;
};

DC_VISIT(PeerReply, m) {
  visit(Field{"code", ""}, m.code);
  visit(Field{"message", ""}, m.message);
  visit(Field{"hint", ""}, m.hint);
  visit(Field{"index", ""}, m.index);
  visit(Field{"term", ""}, m.term);
  visit(Field{"bytes", ""}, m.bytes);
}

/// How a host is, as it says itself.
struct HostState {
  std::int64_t running = 0;
  std::int64_t capacity = 0;
  bool clock_ok = true;
  std::int64_t applied = 0;
  std::uint64_t life = 0;       ///< Drawn at each start of the agent.
  std::uint64_t boot = 0;       ///< Of its permits: hash of its boot id. 0: it issues none.
  std::int64_t permit = 0;      ///< See model::StartPermit::counter.
  std::int64_t start_rate = 0;  ///< Jobs that it can start a second; 0: not measured.
  /// Of the last ReportReply that it has from who is told, and how long ago that came, in
  /// microseconds: so the reader knows between which two of its own instants the permit was issued.
  std::uint64_t echo_life = 0;
  std::int64_t echo_clock = 0;
  std::int64_t echo_age = 0;
  std::int64_t local_runs = 0;  ///< That it started by itself and that are not in the log yet.
  bool can_start = true;        ///< False: it has been without its executor for some time.
};

DC_VISIT(HostState, m) {
  visit(Field{"running", ""}, m.running);
  visit(Field{"capacity", ""}, m.capacity);
  visit(Field{"clock_ok", ""}, m.clock_ok);
  visit(Field{"applied", ""}, m.applied);
  visit(Field{"life", ""}, m.life);
  visit(Field{"boot", ""}, m.boot);
  visit(Field{"permit", ""}, m.permit);
  visit(Field{"start_rate", ""}, m.start_rate);
  visit(Field{"echo_life", ""}, m.echo_life);
  visit(Field{"echo_clock", ""}, m.echo_clock);
  visit(Field{"echo_age", ""}, m.echo_age);
  visit(Field{"local_runs", ""}, m.local_runs);
  visit(Field{"can_start", ""}, m.can_start);
}

/// The leader's answer to kReport.
struct ReportReply {
  std::uint64_t life = 0;
  std::int64_t clock = 0;  ///< Its boottime, microseconds.
};

DC_VISIT(ReportReply, m) {
  visit(Field{"life", ""}, m.life);
  visit(Field{"clock", ""}, m.clock);
}

/// What a guest sends; which token he shows is what the mesh proved.
struct JoinRequest {
  model::Node node;  ///< id 0: any; name, labels, addresses, mesh key, boot id, version.
  std::string admin_key;
  std::string operator_key;
};

DC_VISIT(JoinRequest, m) {
  visit(Field{"node", ""}, m.node);
  visit(Field{"admin_key", ""}, m.admin_key);
  visit(Field{"operator_key", ""}, m.operator_key);
}

struct JoinReply {
  std::int32_t code = 0;  ///< 0: member now, else ErrorCode + 1.
  std::string message;
  std::string hint;
  std::int64_t node_id = 0;
  std::string cluster_id;
  std::string cluster_name;
  std::int64_t incarnation = 0;
  std::string server_public_key;  ///< Of the control doors of all members.
  std::string server_secret_key;
  std::vector<model::Node> members;
};

DC_VISIT(JoinReply, m) {
  visit(Field{"code", ""}, m.code);
  visit(Field{"message", ""}, m.message);
  visit(Field{"hint", ""}, m.hint);
  visit(Field{"node_id", ""}, m.node_id);
  visit(Field{"cluster_id", ""}, m.cluster_id);
  visit(Field{"cluster_name", ""}, m.cluster_name);
  visit(Field{"incarnation", ""}, m.incarnation);
  visit(Field{"server_public_key", ""}, m.server_public_key);
  visit(Field{"server_secret_key", ""}, m.server_secret_key);
  visit(Field{"members", ""}, m.members);
}

}  // namespace distcron::wire

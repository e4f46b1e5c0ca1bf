// SPDX-License-Identifier: Apache-2.0
// What goes into a Raft (events) and what comes out (Ready), as plain values. Pure.
// Section numbers name Ongaro's dissertation (2014).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consensus/message.h"

namespace distcron::consensus {

/// Random numbers of the owner: election timeouts.
class Dice {
 public:
  virtual ~Dice() = default;
  [[nodiscard]] virtual std::uint64_t draw() = 0;
};

struct Settings {
  NodeId self = 0;
  std::uint64_t cluster = 0;
  std::int64_t incarnation = 1;
  Micros election{1'000'000};  ///< E: timeout = E + rank * E/8 + random(0, E).
  Micros heartbeat{100'000};
  Micros learner_heartbeat{1'000'000};
  std::uint64_t append_bytes_max = 256 * 1024;
  std::uint64_t append_entries_max = 1'024;
  std::uint64_t inflight_messages_max = 64;  ///< Per peer.
  std::uint64_t inflight_bytes_max = 4U << 20U;
  std::uint64_t uncommitted_bytes_max = 64U << 20U;  ///< More: proposals are refused.
  std::uint64_t command_bytes_max = 768 * 1024;  ///< Larger: refused; one entry must fit a message.
  std::uint64_t chunk_bytes = 256 * 1024;        ///< ChunkWanted asks for at most this many.
  bool may_lead = true;  ///< false: drained. Witnesses and standbys never lead whatever it says.
};

/// What the disk kept. A member that starts a new cluster has itself in `base_config`, one that
/// joins has an empty one. A state.db that is ahead of the log (a crash amid the installation of a
/// snapshot) is the owner's to resolve first: the log is dropped and begins after the snapshot.
struct Stored {
  HardState hard;
  Index base_index = 0;  ///< The log begins after it; the snapshot (state.db) contains it.
  Term base_term = 0;
  Config base_config;  ///< Active at the base.
  Index base_config_index = 0;
  std::vector<Entry> entries;
  Index applied = 0;  ///< Known committed: state.db contains it.
};

// Events.
struct Tick {};

struct Receive {
  Message message;
};

/// Entries of the client. Refused (see Ready::refused) unless this member leads, is not about to
/// hand over, and has room: kUnavailable, try later or elsewhere; kInvalid: too large.
struct Propose {
  std::uint64_t tag = 0;
  std::vector<std::string> commands;
};

/// One change of one member (4.1): added, removed (only `member.id` counts) or of another kind or
/// rank. A new member joins as learner and is promoted when it has caught up. Refused: kUnavailable
/// (not the leader, nothing committed in this term yet, not caught up, hand-over), kConflict
/// (another change is under way, nothing to change), kNotFound, kInvalid (the last voter, a new
/// voter).
struct ChangeMember {
  std::uint64_t tag = 0;
  Member member;
  bool removes = false;
};

/// Everything up to and with the Ready of this tag is fsynced, and its messages may go.
struct Durable {
  std::uint64_t tag = 0;
};

/// The state machine has applied so far.
struct AppliedTo {
  Index index = 0;
};

/// Forget entries up to `index`, as far as AppliedTo has come: a durable snapshot of the owner
/// contains them.
struct Compact {
  Index index = 0;
};

/// Asks for an index that a linearizable read must wait for (6.4). Answered by Ready::reads.
struct Read {
  std::uint64_t tag = 0;
};

/// Hand leadership to `to` (3.10). 0: to the best voter. Ignored when that is impossible; see
/// Raft::transfer_target.
struct Transfer {
  NodeId to = 0;
};

/// The answer to Ready::chunks_wanted, one to each. Another `index` than the one asked for begins
/// anew, from offset 0. The snapshot must reach to Raft::first_index() - 1 at least.
struct ChunkRead {
  NodeId to = 0;
  Index index = 0;  ///< The snapshot's; 0: there is none yet, ask later.
  Term term = 0;
  Config config;
  Index config_index = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
  std::string data;
};

/// The chunk of Ready::chunk_received is stored (or was refused); with the last one the snapshot is
/// installed durably: state.db is the new one and the log is empty and begins after it. The owner
/// writes the Readies given out before that one first, and answers every chunk_received once.
struct ChunkStored {
  Index index = 0;
  std::uint64_t next_offset = 0;  ///< Wanted next; less than what came: send again from there.
  bool is_installed = false;
};

/// The disk takes no writes (full): step down, neither vote nor accept until it is over. Readies
/// not reported Durable by then are void: the owner drops them with their messages, and says so
/// before it reports a later one Durable, which would stand for them, too. What they
/// wanted stored comes again in the Ready of `is_full` = false; but the only member of a cluster
/// forgets it, and last_index() tells up to where it has been stored.
struct DiskFull {
  bool is_full = false;
};

/// Drained or no longer: whether this member may campaign. Does not end a leadership.
struct MayLead {
  bool may_lead = true;
};

using Event = std::variant<Tick, Receive, Propose, ChangeMember, Durable, AppliedTo, Compact, Read,
                           Transfer, ChunkRead, ChunkStored, DiskFull, MayLead>;

enum class Role : std::uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

/// A proposal's place in the log, or why it has none.
struct Accepted {
  std::uint64_t tag = 0;
  Term term = 0;
  Index first = 0;
  Index last = 0;
};

struct Refused {
  std::uint64_t tag = 0;
  Error error;
};

struct ReadReady {
  std::uint64_t tag = 0;
  Index index = 0;  ///< Answer when this is applied; 0: no leader known or leadership lost.
};

struct ChunkWanted {
  NodeId to = 0;
  Index index = 0;  ///< Of the snapshot under way; 0: the newest there is.
  std::uint64_t offset = 0;
  std::uint64_t bytes_max = 0;
};

/// What the owner has to do. Empty members: nothing of the kind.
struct Ready {
  /// Rises. Not 0 when `hard`, `entries` or `send_when_durable` stand below. With the last alone
  /// nothing is to be stored: the messages wait for the Readies before this one; report Durable
  /// too.
  std::uint64_t tag = 0;
  std::optional<HardState> hard;
  /// To be stored; the first replaces what has its index, and all after.
  std::vector<Entry> entries;
  std::vector<Message> send;
  std::vector<Message> send_when_durable;
  std::vector<Entry> committed;  ///< Newly committed and durable here, in order: apply them.
  std::vector<Accepted> accepted;
  std::vector<Refused> refused;
  std::vector<ReadReady> reads;
  std::vector<ChunkWanted> chunks_wanted;
  std::optional<Message> chunk_received;  ///< kSnapshotChunk: store it, answer by ChunkStored.
  std::int64_t newer_incarnation = 0;     ///< Not 0: a message of the cluster's next life came.
  NodeId old_leader = 0;     ///< Not 0: what a leader says came from a term that is over,
  NodeId second_leader = 0;  ///< or from another than the term's leader; it had no effect.
  /// Not empty: proof that a rule of Raft was broken, here or elsewhere. Stop and keep the
  /// evidence.
  std::string violation;
  bool role_changed = false;  ///< Role, term, leader or readiness to lead differ from before.
};

/// What is known of a peer, for its leader.
struct PeerView {
  NodeId id = 0;
  MemberKind kind = MemberKind::kVoter;
  Index match = 0;
  bool is_recent = false;            ///< Heard of within the last election timeout.
  std::optional<MonoTime> heard_at;  ///< Of its last reply.
  bool in_snapshot = false;
};

}  // namespace distcron::consensus

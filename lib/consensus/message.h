// SPDX-License-Identifier: Apache-2.0
// The plain values of consensus: entries of the log, the configuration of the cluster, and the
// messages between members. Pure. Section numbers name Ongaro's dissertation, "Consensus: Bridging
// Theory and Practice", 2014.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace distcron::consensus {

using NodeId = std::int64_t;  ///< Positive; 0 is nobody.
using Term = std::int64_t;
using Index = std::int64_t;  ///< Of a log entry, from 1.

/// What an entry is for. Numbers stand on disk and on the wire: append only.
enum class EntryKind : std::uint8_t {
  kCommand = 0,  ///< For the state machine.
  kNoop = 1,     ///< First entry of a leader (6.4).
  kConfig = 2,   ///< `data` is an encoded Config.
};

struct Entry {
  Index index = 0;
  Term term = 0;
  EntryKind kind = EntryKind::kCommand;
  std::string data;

  bool operator==(const Entry&) const = default;
};

enum class MemberKind : std::uint8_t {
  kVoter = 0,
  kLearner = 1,  ///< Gets the log, does not count (4.2.1). To users: a standby.
  kWitness = 2,  ///< Votes and stores the log, never leads.
};

struct Member {
  NodeId id = 0;
  MemberKind kind = MemberKind::kVoter;
  std::int32_t rank = 0;  ///< Place in the order of preference; ties go to the lower id.

  bool operator==(const Member&) const = default;
};

/// The members, by id. Active as soon as it is in the log (4.1).
struct Config {
  std::vector<Member> members;

  bool operator==(const Config&) const = default;
};

/// What must be durable before a promise goes out (3.3, figure 3.1).
struct HardState {
  Term term = 0;
  NodeId vote = 0;

  bool operator==(const HardState&) const = default;
};

/// Numbers travel: append only.
enum class MessageKind : std::uint8_t {
  kPreVote = 1,  ///< 9.6
  kPreVoteReply,
  kVote,  ///< 3.4
  kVoteReply,
  kAppend,  ///< 3.5; without entries also the heartbeat
  kAppendReply,
  kSnapshotChunk,  ///< 5.1
  kSnapshotReply,
  kTimeoutNow,  ///< 3.10
  kReadIndex,   ///< 6.4, from a follower for its client
  kReadIndexReply,
};

/// One message. Which members mean something depends on `kind`; the others keep their defaults.
struct Message {
  MessageKind kind = MessageKind::kAppend;
  NodeId from = 0;
  NodeId to = 0;
  std::uint64_t cluster = 0;     ///< Hash of the cluster's id: another cluster's is dropped.
  std::int64_t incarnation = 0;  ///< A lower one is dropped, a higher one is reported.
  Term term = 0;

  Index prev_index = 0;  ///< kAppend: entry before `entries`. Votes: last durable entry.
  Term prev_term = 0;
  Index commit = 0;
  std::vector<Entry> entries;

  /// Replies: refused. kAppendReply then has in `prev_index` the prev_index that did not fit.
  bool reject = false;
  bool force = false;    ///< kVote: of a transfer, also inside the lease (4.2.3).
  Index match = 0;       ///< kAppendReply: prev + n, never the receiver's own last.
  Index hint_index = 0;  ///< Reject: where the receiver may agree (3.5, conflict).
  Term hint_term = 0;
  std::uint64_t round = 0;    ///< Heartbeat round, comes back; proves leadership to reads (6.4).
  std::uint64_t context = 0;  ///< kReadIndex*: of the asker; the index to wait for is in `commit`.
                              ///< kAppend*: number of the message, to tell old refusals.

  // Snapshots: `prev_index`, `prev_term` name the last entry that it contains. In a reply `match`
  // is that index once the receiver has everything up to it durably, else 0.
  Config config;
  Index config_index = 0;
  std::uint64_t offset = 0;  ///< Of `data` in the file; in a reply the next wanted byte.
  std::uint64_t size = 0;    ///< Of the whole file.
  std::uint32_t crc = 0;     ///< CRC-32C of the whole file.
  std::string data;

  bool operator==(const Message&) const = default;
};

}  // namespace distcron::consensus

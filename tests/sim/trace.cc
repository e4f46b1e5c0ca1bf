// SPDX-License-Identifier: Apache-2.0
#include "sim/trace.h"

#include <algorithm>
#include <string_view>

#include "sim/script.h"

namespace distcron::sim {
namespace {

using consensus::MessageKind;

std::string_view name_of(MessageKind kind) {
  switch (kind) {
    case MessageKind::kPreVote:
      return "pre_vote";
    case MessageKind::kPreVoteReply:
      return "pre_vote_reply";
    case MessageKind::kVote:
      return "vote";
    case MessageKind::kVoteReply:
      return "vote_reply";
    case MessageKind::kAppend:
      return "append";
    case MessageKind::kAppendReply:
      return "append_reply";
    case MessageKind::kSnapshotChunk:
      return "snapshot_chunk";
    case MessageKind::kSnapshotReply:
      return "snapshot_reply";
    case MessageKind::kTimeoutNow:
      return "timeout_now";
    case MessageKind::kReadIndex:
      return "read_index";
    case MessageKind::kReadIndexReply:
      return "read_index_reply";
  }
  return "?";
}

std::string_view role_name(std::int64_t role) {
  switch (static_cast<consensus::Role>(role)) {
    case consensus::Role::kFollower:
      return "follows";
    case consensus::Role::kPreCandidate:
      return "asks for pre-votes";
    case consensus::Role::kCandidate:
      return "asks for votes";
    case consensus::Role::kLeader:
      return "leads";
  }
  return "?";
}

std::string message_text(const Record& r) {
  std::string text(name_of(r.kind));
  text += " term=" + std::to_string(r.term);
  if (r.reject) return text + " reject index=" + std::to_string(r.index);
  text += " index=" + std::to_string(r.index);
  if (r.count > 0) text += "+" + std::to_string(r.count);
  return text + " commit=" + std::to_string(r.commit);
}

}  // namespace

std::string format_record(const Record& r) {
  const std::string a = std::to_string(r.a);
  const std::string b = std::to_string(r.b);
  const std::string c = std::to_string(r.c);
  std::string line = format_time(r.at) + " ";
  switch (r.mark) {
    case Mark::kSend:
      return line + a + " -> " + b + " " + message_text(r);
    case Mark::kLost:
      return line + a + " -x " + b + " " + message_text(r);
    case Mark::kReceive:
      return line + a + " <- " + b + " " + message_text(r);
    case Mark::kRole:
      return line + a + " " + std::string(role_name(r.b)) + " in term " + c;
    case Mark::kCommit:
      return line + a + " commit index " + b;
    case Mark::kDurable:
      return line + a + " durable: term " + b + ", log up to " + c;
    case Mark::kTruncate:
      return line + a + " drops its entries after " + b;
    case Mark::kCrash:
      return line + a + " crashes, loses " + b + " and keeps " + c + " unsynced writes";
    case Mark::kRestart:
      return line + a + " starts with entries after " + b + " up to " + c;
    case Mark::kSnapshot:
      return line + a + " has made a snapshot at " + b;
    case Mark::kInstalled:
      return line + a + " has installed the snapshot at " + b;
    case Mark::kConfig:
      return line + a + " has " + c + " members since entry " + b;
    case Mark::kAck:
      return line + "client " + a + ": command " + c + " acknowledged, index " + b;
    case Mark::kRead:
      return line + "client " + a + ": read at index " + b + " through " + c;
    case Mark::kRefused:
      return line + a + " refuses a request";
    case Mark::kOp:
      return line + "line " + a + " of the script";
    case Mark::kPhase:
      return line + "phase " + a;
    case Mark::kForged:
      return line + a + " <- forged as of " + b + " " + message_text(r);
  }
  return line;
}

std::string Trace::tail(std::size_t count) const {
  const std::uint64_t kept = std::min<std::uint64_t>({added_, kKept, count});
  std::string text;
  for (std::uint64_t i = added_ - kept; i < added_; ++i) {
    text += format_record(last_[i % kKept]) + "\n";
  }
  return text;
}

}  // namespace distcron::sim

// SPDX-License-Identifier: Apache-2.0
// What raft.db keeps, as plain values: entries of the replicated log, term and vote, the
// configuration where the log begins, and the host's own notes. The store knows nothing of what the
// bytes mean. No thread rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace distcron::store {

struct LogEntry {
  std::int64_t index = 0;
  std::int64_t term = 0;  ///< Below 2^55.
  std::string bytes;      ///< Of a command: wire::encode of a model::Entry.
  std::uint8_t kind = 0;  ///< consensus::EntryKind by number; 0: a command.

  bool operator==(const LogEntry&) const = default;
};

/// What binds an agent after a restart: consensus::HardState.
struct HardState {
  std::int64_t term = 0;
  std::int64_t vote = 0;  ///< Node id; 0: nobody in `term`.

  bool operator==(const HardState&) const = default;
};

/// A configuration of the cluster and the entry that it came with.
struct LogConfig {
  std::string bytes;  ///< consensus::encode_config; empty: never set.
  std::int64_t index = 0;

  bool operator==(const LogConfig&) const = default;
};

/// Where the log begins: all up to `index` is contained in a synced state.db.
struct LogStart {
  std::int64_t index = 0;
  std::int64_t term = 0;
  LogConfig config;  ///< Active at `index`.

  bool operator==(const LogStart&) const = default;
};

struct LogSize {
  std::int64_t base_index = 0;
  std::int64_t last_index = 0;
  std::int64_t bytes = 0;  ///< Of the entries between them.
};

/// The host's own durable notes about attempts it was handed (RUNS.md: two journals).
enum class JournalKind : std::uint8_t { kAccepted, kTombstone, kEnded };

struct JournalPut {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  JournalKind kind = JournalKind::kAccepted;
  std::string boot_id;
  std::string bytes;  ///< kEnded: encoded HostReport. kAccepted: encoded claim (start_at, ...).
};

struct JournalDrop {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
};

/// One group of writes to raft.db that is durable when its completion arrives; all or nothing.
/// An entry with an index that exists replaces it and all after it; entries up to the base are
/// contained in state.db and skipped.
struct DurableBatch {
  std::vector<LogEntry> entries;
  std::vector<JournalPut> journal;
  std::vector<JournalDrop> dropped;
  std::uint64_t tag = 0;  ///< Comes back in the completion.
  std::optional<HardState> hard{};
};

}  // namespace distcron::store

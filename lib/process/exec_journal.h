// SPDX-License-Identifier: Apache-2.0
// The executor's journal: which attempts were spawned in this boot. It lies in the runtime
// directory, is never fsynced, and is void after a reboot. It alone keeps (run, attempt) from being
// started twice inside a boot. Owned by the executor; single-threaded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "process/spawn_plan.h"

namespace distcron::process {

/// One spawned attempt.
struct SpawnRecord {
  RunKey key;
  std::int32_t stub_pid = 0;
  std::uint64_t stub_starttime = 0;
  std::int64_t wall_us = 0;
  std::int64_t boot_us = 0;
  std::int64_t timeout_ms = 0;
  std::int64_t grace_ms = 0;
};

enum class JournalKind : std::uint32_t { kSpawned = 1, kAcked = 2 };

struct JournalEntry {
  JournalKind kind = JournalKind::kSpawned;
  SpawnRecord record;
};

inline constexpr std::size_t kJournalEntryBytes = 72;
inline constexpr std::size_t kBootIdBytes = 36;
inline constexpr std::size_t kJournalHeaderBytes = 48;

std::array<std::byte, kJournalEntryBytes> encode_journal_entry(const JournalEntry& entry);
/// False when damaged.
[[nodiscard]] bool decode_journal_entry(std::span<const std::byte> bytes, JournalEntry& entry);

/// Attempts known in this boot.
struct JournalState {
  std::map<RunKey, SpawnRecord> open;  ///< Spawned, and not acknowledged by the agent.
  std::set<RunKey> acked;              ///< Kept only to refuse duplicates; bounded.
};

/// Replays a journal file's bytes. Stops at the first damaged entry (the end of a torn write).
/// False when it is not a journal of boot `boot_id`.
[[nodiscard]] bool replay_journal(std::span<const std::byte> bytes, std::string_view boot_id,
                                  JournalState& state);

class ExecJournal {
 public:
  /// Opens `name` in the directory, replays it, or begins a new one. Empty, or an error text.
  [[nodiscard]] std::string open(int dir_fd, const char* name, std::string_view boot_id);

  [[nodiscard]] const JournalState& state() const { return state_; }

  [[nodiscard]] bool is_known(RunKey key) const;

  /// Adds all records in one write, or none. False when the write failed.
  [[nodiscard]] bool add_spawned(const std::vector<SpawnRecord>& records);
  /// Forgets a spawn that was refused before its release could be given (its stub has not run).
  void ack(RunKey key);

  static constexpr std::size_t kAckedMax = 1'000'000;

 private:
  [[nodiscard]] bool append(std::span<const std::byte> bytes);
  [[nodiscard]] std::string rewrite();
  void apply(const JournalEntry& entry);

  int dir_fd_ = -1;
  std::string name_;
  std::string boot_id_;
  UniqueFd file_;
  std::int64_t size_ = 0;
  std::int64_t size_after_rewrite_ = 0;
  JournalState state_;
};

}  // namespace distcron::process

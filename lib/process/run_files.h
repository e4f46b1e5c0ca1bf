// SPDX-License-Identifier: Apache-2.0
// The agent's reader of what a stub leaves on disk: end record and output of one attempt.
// Layout: STATE_DIR/out/RUN/ATTEMPT/{end, out.N, err.N}, N = offset of the file's first byte in
// the stream. out.0 is the head; when more was written than is kept, the middle files are missing.
// Reads only; works while the job writes. One owner per reader, no locks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "process/end_record.h"
#include "process/spawn_plan.h"

namespace distcron::process {

enum class Stream : std::uint8_t { kOut, kErr };

/// Part of a stream. `dropped` bytes before `bytes` were not kept: show a mark with the count.
struct OutputChunk {
  std::int64_t dropped = 0;
  std::string bytes;
  std::int64_t next_offset = 0;  ///< Offset to ask for next.
  std::int64_t end_offset = 0;   ///< Bytes the job has written so far, kept or not.
  bool at_end = false;           ///< next_offset == end_offset. Final if the run has ended.
};

/// Total and kept bytes of a stream now.
struct OutputSize {
  std::int64_t written = 0;
  std::int64_t kept = 0;
};

class RunFiles {
 public:
  virtual ~RunFiles() = default;

  /// kNotFound: no record (yet). kCorrupt: damaged.
  [[nodiscard]] virtual Result<EndRecord> load_end_record(RunKey key) const = 0;

  /// At most `max` bytes from logical `offset` (< 0: that many bytes before the end) on. An attempt
  /// that wrote nothing, or is unknown, is an empty stream. kIo: unreadable.
  [[nodiscard]] virtual Result<OutputChunk> read(RunKey key, Stream stream, std::int64_t offset,
                                                 std::int64_t max) const = 0;

  [[nodiscard]] virtual Result<OutputSize> size(RunKey key, Stream stream) const = 0;

  /// All runs that have a folder, for retention; unsorted.
  [[nodiscard]] virtual Result<std::vector<std::int64_t>> list_runs() const = 0;
  /// The attempts of a run that have a folder; unsorted.
  [[nodiscard]] virtual Result<std::vector<std::int32_t>> list_attempts(
      std::int64_t run_id) const = 0;
};

/// As the stubs of this host left them in the executor's folder.
class StoredRunFiles final : public RunFiles {
 public:
  explicit StoredRunFiles(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  [[nodiscard]] Result<EndRecord> load_end_record(RunKey key) const override;
  [[nodiscard]] Result<OutputChunk> read(RunKey key, Stream stream, std::int64_t offset,
                                         std::int64_t max) const override;
  [[nodiscard]] Result<OutputSize> size(RunKey key, Stream stream) const override;
  [[nodiscard]] Result<std::vector<std::int64_t>> list_runs() const override;
  [[nodiscard]] Result<std::vector<std::int32_t>> list_attempts(std::int64_t run_id) const override;

 private:
  std::string state_dir_;
};

}  // namespace distcron::process

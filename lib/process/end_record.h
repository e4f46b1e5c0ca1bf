// SPDX-License-Identifier: Apache-2.0
// How one attempt ended: written by its stub (tmp and rename), read by executor and agent.
// Fixed layout with a checksum; no allocation, no third-party code.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace distcron::process {

/// Step of the set-up in which a start failed; the reason of the run is "setup_" + name.
enum class Step : std::uint8_t {
  kNone,
  kPlan,
  kFiles,
  kUser,
  kPam,
  kFork,
  kSession,
  kCgroup,
  kStdin,
  kLimits,
  kNice,
  kGroups,
  kGid,
  kUid,
  kVerify,
  kCaps,
  kNoNewPrivs,
  kFds,
  kEnv,
  kCwd,
  kScript,
  kExec,
};
inline constexpr int kStepCount = 22;
[[nodiscard]] std::string_view name_of(Step step);

enum class EndHow : std::uint8_t {
  kExited,          ///< exit_code is valid.
  kSignaled,        ///< signal is valid.
  kSetupFailed,     ///< Nothing of the job ran; step and sys_errno say why.
  kNotReleased,     ///< Nothing ran: the executor died before it released the stub.
  kLate,            ///< Nothing ran: start_by had passed.
  kDenied,          ///< Nothing ran: user distcron or a member of its group.
  kKillIncomplete,  ///< Processes of the job are left that could not be killed.
};

/// Byte counts of one output stream.
struct StreamCount {
  std::int64_t written = 0;  ///< Bytes that the job wrote.
  std::int64_t kept = 0;     ///< Bytes in the files.

  [[nodiscard]] std::int64_t cut() const { return written - kept; }
};

struct EndRecord {
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  EndHow how = EndHow::kExited;
  Step step = Step::kNone;
  std::int32_t sys_errno = 0;
  std::int32_t exit_code = 0;
  std::int32_t signal = 0;
  bool core_dumped = false;
  bool timed_out = false;           ///< The stub sent TERM because the timeout had passed.
  bool killed_by_request = false;   ///< Someone asked for the kill.
  bool killed_by_shutdown = false;  ///< ... namely the shutdown of the host.
  std::int32_t job_pid = 0;
  std::int64_t started_wall_us = 0;  ///< Just before exec; 0 when nothing ran.
  std::int64_t ended_wall_us = 0;
  std::int64_t started_boot_us = 0;
  std::int64_t ended_boot_us = 0;
  std::int64_t utime_us = 0;  ///< All processes of the job that were waited for.
  std::int64_t stime_us = 0;
  std::int64_t maxrss_kb = 0;
  StreamCount out;
  StreamCount err;
  std::int32_t output_errno = 0;  ///< First failed write to an output file, 0 when none.
};

inline constexpr std::size_t kEndRecordBytes = 256;
using EndRecordBytes = std::array<std::byte, kEndRecordBytes>;

[[nodiscard]] EndRecordBytes encode_end_record(const EndRecord& record);
/// False when the bytes are not a whole, undamaged record.
[[nodiscard]] bool decode_end_record(std::span<const std::byte> bytes, EndRecord& record);

/// CRC-32 (IEEE 802.3, reflected), as in zlib.
[[nodiscard]] std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace distcron::process

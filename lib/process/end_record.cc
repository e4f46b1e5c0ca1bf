// SPDX-License-Identifier: Apache-2.0
#include "process/end_record.h"

#include <cstring>

namespace distcron::process {

namespace {

constexpr std::uint32_t kEndMagic = 0x444e4544;  // "DEND"
constexpr std::uint32_t kEndVersion = 1;

/// Bytes on disk, host byte order: an end record never leaves its host.
struct Layout {
  std::uint32_t magic;
  std::uint32_t version;
  std::int64_t run_id;
  std::int32_t attempt;
  std::uint8_t how;
  std::uint8_t step;
  std::uint8_t flags;
  std::uint8_t unused;
  std::int32_t sys_errno;
  std::int32_t exit_code;
  std::int32_t signal;
  std::int32_t job_pid;
  std::array<std::int64_t, 7>
      times;  // started wall, ended wall, started boot, ended boot, u, s, rss
  std::array<std::int64_t, 4> counts;
  std::int32_t output_errno;
  std::uint32_t crc;
};

static_assert(sizeof(Layout) == 136 && sizeof(Layout) <= kEndRecordBytes);

enum Flag : std::uint8_t { kCore = 1, kTimedOut = 2, kRequested = 4, kShutdown = 8 };

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1U) ^ ((value & 1U) * 0xedb88320U);
    table[i] = value;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kCrcTable = make_table();

std::uint32_t crc_of(const Layout& layout) {
  return crc32(std::as_bytes(std::span(&layout, 1)).first(offsetof(Layout, crc)));
}

constexpr std::array<std::string_view, kStepCount> kStepNames = {
    "none",         "plan",   "files", "user",   "pam",    "fork", "session", "cgroup",
    "stdin",        "limits", "nice",  "groups", "gid",    "uid",  "verify",  "caps",
    "no_new_privs", "fds",    "env",   "cwd",    "script", "exec"};
static_assert(static_cast<int>(Step::kExec) + 1 == kStepCount);

}  // namespace

std::string_view name_of(Step step) {
  return kStepNames[static_cast<std::size_t>(step)];
}

std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const std::byte b : bytes) {
    crc = (crc >> 8U) ^ kCrcTable[(crc ^ static_cast<std::uint32_t>(b)) & 0xffU];
  }
  return crc ^ 0xffffffffU;
}

EndRecordBytes encode_end_record(const EndRecord& r) {
  Layout layout{};
  layout.magic = kEndMagic;
  layout.version = kEndVersion;
  layout.run_id = r.run_id;
  layout.attempt = r.attempt;
  layout.how = static_cast<std::uint8_t>(r.how);
  layout.step = static_cast<std::uint8_t>(r.step);
  layout.flags = static_cast<std::uint8_t>(
      (r.core_dumped ? kCore : 0) | (r.timed_out ? kTimedOut : 0) |
      (r.killed_by_request ? kRequested : 0) | (r.killed_by_shutdown ? kShutdown : 0));
  layout.sys_errno = r.sys_errno;
  layout.exit_code = r.exit_code;
  layout.signal = r.signal;
  layout.job_pid = r.job_pid;
  layout.times = {r.started_wall_us, r.ended_wall_us, r.started_boot_us, r.ended_boot_us,
                  r.utime_us,        r.stime_us,      r.maxrss_kb};
  layout.counts = {r.out.written, r.out.kept, r.err.written, r.err.kept};
  layout.output_errno = r.output_errno;
  layout.crc = crc_of(layout);
  EndRecordBytes bytes{};
  std::memcpy(bytes.data(), &layout, sizeof(layout));
  return bytes;
}

bool decode_end_record(std::span<const std::byte> bytes, EndRecord& r) {
  if (bytes.size() != kEndRecordBytes) return false;
  Layout layout;
  std::memcpy(&layout, bytes.data(), sizeof(layout));
  if (layout.magic != kEndMagic || layout.version != kEndVersion || layout.crc != crc_of(layout)) {
    return false;
  }
  if (layout.how > static_cast<std::uint8_t>(EndHow::kKillIncomplete)) return false;
  if (layout.step >= kStepCount) return false;
  r.run_id = layout.run_id;
  r.attempt = layout.attempt;
  r.how = static_cast<EndHow>(layout.how);
  r.step = static_cast<Step>(layout.step);
  r.sys_errno = layout.sys_errno;
  r.exit_code = layout.exit_code;
  r.signal = layout.signal;
  r.core_dumped = (layout.flags & kCore) != 0;
  r.timed_out = (layout.flags & kTimedOut) != 0;
  r.killed_by_request = (layout.flags & kRequested) != 0;
  r.killed_by_shutdown = (layout.flags & kShutdown) != 0;
  r.job_pid = layout.job_pid;
  r.started_wall_us = layout.times[0];
  r.ended_wall_us = layout.times[1];
  r.started_boot_us = layout.times[2];
  r.ended_boot_us = layout.times[3];
  r.utime_us = layout.times[4];
  r.stime_us = layout.times[5];
  r.maxrss_kb = layout.times[6];
  r.out = {layout.counts[0], layout.counts[1]};
  r.err = {layout.counts[2], layout.counts[3]};
  r.output_errno = layout.output_errno;
  return true;
}

}  // namespace distcron::process

// SPDX-License-Identifier: Apache-2.0
// Layout and bounds-checked reader of an encoded plan. Used by executor (policy) and stub, which
// read bytes that an unprivileged process wrote. Views point into the bytes; no allocation.
//
// All numbers are of the host's byte order: a plan never leaves its host. A PlanHeader is followed
// by the sections of SectionId in that order without gaps. Text sections end in NUL; lists are
// NUL-ended texts one after the other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "process/spawn_plan.h"

namespace distcron::process {

inline constexpr std::uint32_t kPlanMagic = 0x504c4344;  // "DCLP"
inline constexpr std::uint32_t kPlanVersion = 1;
inline constexpr std::uint32_t kPlanArgsMax = 8'192;
inline constexpr std::uint32_t kPlanEnvMax = 8'192;
inline constexpr std::uint32_t kPlanLimitsMax = 16;
/// The executor reads only this much of a plan: header, user, group and argv[0] must lie in it.
inline constexpr std::size_t kPlanPolicyBytes = 16'384;

/// Order of the sections; what policy needs comes first.
enum class SectionId : std::uint8_t {
  kUser,
  kGroup,
  kArgv,
  kCwd,
  kStdinPath,
  kLimits,
  kEnv,
  kScript,
  kStdinData,
};
inline constexpr std::size_t kSectionCount = 9;

enum PlanFlag : std::uint32_t {
  kPlanSplitOutput = 1U,
  kPlanCompatCron = 2U,
  kPlanCronieEnv = 4U,
  kPlanNoNewPrivs = 8U,
  kPlanCreatedElsewhere = 16U,
  kPlanLeaveOrphans = 32U,
  kPlanPam = 64U,
};

inline constexpr std::uint32_t kPlanFlagsAll = 127U;

struct PlanHeader {
  std::uint32_t magic = kPlanMagic;
  std::uint32_t version = kPlanVersion;
  std::uint32_t total_bytes = 0;
  std::uint32_t flags = 0;
  std::int64_t run_id = 0;
  std::int32_t attempt = 0;
  std::int32_t umask = 022;
  std::int32_t nice = 0;
  std::uint32_t argc = 0;
  std::uint32_t envc = 0;
  std::uint32_t limit_count = 0;
  std::int64_t timeout_ms = 0;
  std::int64_t kill_grace_ms = 0;
  std::int64_t start_by_boottime_us = 0;
  std::int64_t output_max_bytes = 0;
  std::array<std::uint32_t, kSectionCount> section_bytes{};
  std::uint32_t reserved = 0;
};

static_assert(sizeof(PlanHeader) == 120);

struct LimitEntry {
  std::int64_t resource = 0;
  std::int64_t soft = 0;
  std::int64_t hard = 0;
};

static_assert(sizeof(LimitEntry) == 24);

/// NUL-ended texts one after the other.
struct TextList {
  const char* data = nullptr;
  std::size_t bytes = 0;
  std::uint32_t count = 0;

  /// Fills `out` (room for count + 1) with pointers and a closing nullptr.
  void fill(char** out) const;
};

/// A checked plan. Texts are NUL-ended at their end().
struct PlanView {
  PlanHeader header;
  std::string_view user;
  std::string_view group;
  std::string_view cwd;
  std::string_view stdin_path;
  TextList argv;
  TextList env;
  std::span<const std::byte> limits;
  std::string_view script;
  std::string_view stdin_data;

  [[nodiscard]] bool has(PlanFlag flag) const { return (header.flags & flag) != 0; }

  [[nodiscard]] LimitEntry limit(std::uint32_t i) const;
};

/// What the policy of the host looks at.
struct PolicyView {
  PlanHeader header;
  std::string_view user;
  std::string_view group;
  std::string_view command;  ///< argv[0]; empty for a script.
  bool is_script = false;
};

/// Null when `bytes` is a whole, valid plan; else a text that says what is wrong.
[[nodiscard]] const char* decode_plan(std::span<const std::byte> bytes, PlanView& view);

/// As decode_plan, from the first bytes of a plan of `total_bytes`.
[[nodiscard]] const char* decode_policy_view(std::span<const std::byte> head,
                                             std::size_t total_bytes, PolicyView& view);

}  // namespace distcron::process

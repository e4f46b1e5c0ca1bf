// SPDX-License-Identifier: Apache-2.0
#include "process/plan_view.h"

#include <algorithm>
#include <cstring>

namespace distcron::process {

namespace {

constexpr std::int64_t kMillisMax = std::int64_t{400} * 86'400 * 1'000;
constexpr std::size_t kNameMax = 256;
constexpr std::size_t kPathBytesMax = 4'096;

std::uint32_t bytes_of(const PlanHeader& header, SectionId id) {
  return header.section_bytes[static_cast<std::size_t>(id)];
}

std::size_t offset_of(const PlanHeader& header, SectionId id) {
  std::size_t offset = sizeof(PlanHeader);
  for (std::size_t i = 0; i < static_cast<std::size_t>(id); ++i)
    offset += header.section_bytes[i];
  return offset;
}

std::span<const std::byte> section(std::span<const std::byte> bytes, const PlanHeader& header,
                                   SectionId id) {
  return bytes.subspan(offset_of(header, id), bytes_of(header, id));
}

const char* chars(std::span<const std::byte> bytes) {
  return reinterpret_cast<const char*>(bytes.data());
}

bool is_text(std::span<const std::byte> bytes, std::string_view& text) {
  if (bytes.empty()) return false;
  text = std::string_view(chars(bytes), bytes.size() - 1);
  return bytes.back() == std::byte{0} && text.find('\0') == std::string_view::npos;
}

bool is_list(std::span<const std::byte> bytes, std::uint32_t count, TextList& list) {
  list = {chars(bytes), bytes.size(), count};
  if (bytes.empty()) return count == 0;
  if (bytes.back() != std::byte{0}) return false;
  return std::count(bytes.begin(), bytes.end(), std::byte{0}) == std::ptrdiff_t{count};
}

const char* check_numbers(const PlanHeader& h) {
  if (h.run_id <= 0 || h.attempt <= 0) return "run id or attempt is not positive";
  if (h.umask < 0 || h.umask > 0777) return "umask is out of range";
  if (h.nice < -20 || h.nice > 19) return "nice is out of range";
  if (h.argc == 0 || h.argc > kPlanArgsMax) return "argument count is out of range";
  if (h.envc > kPlanEnvMax) return "environment is too large";
  if (h.limit_count > kPlanLimitsMax) return "too many limits";
  if (h.timeout_ms < 0 || h.timeout_ms > kMillisMax) return "timeout is out of range";
  if (h.kill_grace_ms < 0 || h.kill_grace_ms > kMillisMax) return "kill grace is out of range";
  if (h.start_by_boottime_us < 0) return "start_by is out of range";
  if (h.output_max_bytes < 0) return "output limit is out of range";
  if ((h.flags & ~kPlanFlagsAll) != 0 || h.reserved != 0) return "unknown flag";
  return nullptr;
}

const char* decode_header(std::span<const std::byte> bytes, std::size_t total_bytes,
                          PlanHeader& header) {
  if (bytes.size() < sizeof(PlanHeader)) return "plan is too short";
  std::memcpy(&header, bytes.data(), sizeof(PlanHeader));
  if (header.magic != kPlanMagic) return "not a plan";
  if (header.version != kPlanVersion) return "unknown plan version";
  if (total_bytes > kPlanBytesMax) return "plan is too large";
  std::uint64_t sum = sizeof(PlanHeader);
  for (const std::uint32_t part : header.section_bytes)
    sum += part;
  if (header.total_bytes != total_bytes || sum != total_bytes) return "plan sizes do not add up";
  if (bytes_of(header, SectionId::kLimits) != header.limit_count * sizeof(LimitEntry)) {
    return "limits do not match their count";
  }
  return check_numbers(header);
}

bool is_env_entry_list(const TextList& env) {
  const char* at = env.data;
  for (std::uint32_t i = 0; i < env.count; ++i) {
    const std::size_t length = std::strlen(at);
    const auto* equals = static_cast<const char*>(std::memchr(at, '=', length));
    if (equals == nullptr || equals == at) return false;
    at += length + 1;
  }
  return true;
}

}  // namespace

void TextList::fill(char** out) const {
  const char* at = data;
  for (std::uint32_t i = 0; i < count; ++i) {
    out[i] = const_cast<char*>(at);
    at += std::strlen(at) + 1;
  }
  out[count] = nullptr;
}

LimitEntry PlanView::limit(std::uint32_t i) const {
  LimitEntry entry;
  std::memcpy(&entry, limits.data() + i * sizeof(LimitEntry), sizeof(LimitEntry));
  return entry;
}

const char* decode_plan(std::span<const std::byte> bytes, PlanView& view) {
  if (const char* why = decode_header(bytes, bytes.size(), view.header)) return why;
  const PlanHeader& h = view.header;
  if (!is_text(section(bytes, h, SectionId::kUser), view.user) || view.user.size() > kNameMax) {
    return "user is not a text";
  }
  if (!is_text(section(bytes, h, SectionId::kGroup), view.group) || view.group.size() > kNameMax) {
    return "group is not a text";
  }
  if (!is_list(section(bytes, h, SectionId::kArgv), h.argc, view.argv)) return "argv is not a list";
  if (!is_text(section(bytes, h, SectionId::kCwd), view.cwd) || view.cwd.size() > kPathBytesMax) {
    return "cwd is not a text";
  }
  if (!is_text(section(bytes, h, SectionId::kStdinPath), view.stdin_path) ||
      view.stdin_path.size() > kPathBytesMax) {
    return "stdin path is not a text";
  }
  view.limits = section(bytes, h, SectionId::kLimits);
  if (!is_list(section(bytes, h, SectionId::kEnv), h.envc, view.env) ||
      !is_env_entry_list(view.env)) {
    return "environment is not a list of NAME=value";
  }
  const auto script = section(bytes, h, SectionId::kScript);
  view.script = std::string_view(chars(script), script.size());
  const auto input = section(bytes, h, SectionId::kStdinData);
  view.stdin_data = std::string_view(chars(input), input.size());
  return nullptr;
}

const char* decode_policy_view(std::span<const std::byte> head, std::size_t total_bytes,
                               PolicyView& view) {
  if (const char* why = decode_header(head, total_bytes, view.header)) return why;
  const PlanHeader& h = view.header;
  const std::size_t names_end = offset_of(h, SectionId::kArgv);
  if (names_end > head.size()) return "user or group is too long";
  if (!is_text(section(head, h, SectionId::kUser), view.user) || view.user.size() > kNameMax) {
    return "user is not a text";
  }
  if (!is_text(section(head, h, SectionId::kGroup), view.group) || view.group.size() > kNameMax) {
    return "group is not a text";
  }
  view.is_script = bytes_of(h, SectionId::kScript) != 0;
  const std::size_t argv_bytes = bytes_of(h, SectionId::kArgv);
  const auto argv = head.subspan(names_end, std::min(argv_bytes, head.size() - names_end));
  const auto end = std::find(argv.begin(), argv.end(), std::byte{0});
  if (end == argv.end()) return "argv[0] is too long";
  view.command = view.is_script
                     ? std::string_view()
                     : std::string_view(chars(argv), static_cast<std::size_t>(end - argv.begin()));
  return nullptr;
}

}  // namespace distcron::process

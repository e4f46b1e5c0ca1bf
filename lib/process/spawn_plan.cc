// SPDX-License-Identifier: Apache-2.0
#include "process/spawn_plan.h"

#include <cstring>
#include <span>

#include "process/plan_view.h"

namespace distcron::process {

namespace {

class Encoder {
 public:
  explicit Encoder(std::string& bytes) : bytes_(bytes) { bytes_.assign(sizeof(PlanHeader), '\0'); }

  void text(SectionId id, const std::string& value) {
    item(value);
    close(id);
  }

  void list(SectionId id, const std::vector<std::string>& values) {
    for (const std::string& value : values)
      item(value);
    close(id);
  }

  void raw(SectionId id, const std::string& value) {
    bytes_ += value;
    close(id);
  }

  void limits(const std::vector<ResourceLimit>& values) {
    for (const ResourceLimit& value : values) {
      const LimitEntry entry{value.resource, value.soft, value.hard};
      bytes_.append(reinterpret_cast<const char*>(&entry), sizeof(entry));
    }
    close(SectionId::kLimits);
  }

  [[nodiscard]] bool has_nul() const { return has_nul_; }

  void finish(PlanHeader header) {
    header.section_bytes = sizes_;
    header.total_bytes = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &header, sizeof(header));
  }

 private:
  void item(const std::string& value) {
    has_nul_ = has_nul_ || value.find('\0') != std::string::npos;
    bytes_.append(value.c_str(), value.size() + 1);
  }

  void close(SectionId id) {
    sizes_[static_cast<std::size_t>(id)] = static_cast<std::uint32_t>(bytes_.size() - start_);
    start_ = bytes_.size();
  }

  std::string& bytes_;
  std::size_t start_ = sizeof(PlanHeader);
  std::array<std::uint32_t, kSectionCount> sizes_{};
  bool has_nul_ = false;
};

std::uint32_t flags_of(const SpawnPlan& plan) {
  std::uint32_t flags = 0;
  if (plan.split_output) flags |= kPlanSplitOutput;
  if (plan.compat_cron) flags |= kPlanCompatCron;
  if (plan.cronie_env) flags |= kPlanCronieEnv;
  if (plan.no_new_privs) flags |= kPlanNoNewPrivs;
  if (plan.created_elsewhere) flags |= kPlanCreatedElsewhere;
  if (plan.orphans == Orphans::kLeave) flags |= kPlanLeaveOrphans;
  if (plan.pam) flags |= kPlanPam;
  return flags;
}

std::size_t text_bytes(const SpawnPlan& plan) {
  std::size_t sum = plan.script.size() + plan.stdin_data.size();
  for (const std::string& arg : plan.argv)
    sum += arg.size() + 1;
  for (const std::string& entry : plan.env)
    sum += entry.size() + 1;
  return sum;
}

}  // namespace

bool encode_plan(const SpawnPlan& plan, std::string& bytes, std::string& why) {
  if (text_bytes(plan) > kPlanBytesMax) {
    why = "arguments, environment, script and input together are larger than 4 MiB";
    return false;
  }
  Encoder encoder(bytes);
  encoder.text(SectionId::kUser, plan.user);
  encoder.text(SectionId::kGroup, plan.group);
  encoder.list(SectionId::kArgv, plan.argv);
  encoder.text(SectionId::kCwd, plan.cwd);
  encoder.text(SectionId::kStdinPath, plan.stdin_path);
  encoder.limits(plan.limits);
  encoder.list(SectionId::kEnv, plan.env);
  encoder.raw(SectionId::kScript, plan.script);
  encoder.raw(SectionId::kStdinData, plan.stdin_data);
  if (encoder.has_nul()) {
    why = "a text contains a NUL byte";
    return false;
  }
  PlanHeader header;
  header.flags = flags_of(plan);
  header.run_id = plan.run_id;
  header.attempt = plan.attempt;
  header.umask = plan.umask;
  header.nice = plan.nice;
  header.argc = static_cast<std::uint32_t>(plan.argv.size());
  header.envc = static_cast<std::uint32_t>(plan.env.size());
  header.limit_count = static_cast<std::uint32_t>(plan.limits.size());
  header.timeout_ms = plan.timeout_ms;
  header.kill_grace_ms = plan.kill_grace_ms;
  header.start_by_boottime_us = plan.start_by_boottime_us;
  header.output_max_bytes = plan.output_max_bytes;
  encoder.finish(header);
  PlanView view;
  if (const char* wrong = decode_plan(std::as_bytes(std::span(bytes)), view)) {
    why = wrong;
    return false;
  }
  return true;
}

}  // namespace distcron::process

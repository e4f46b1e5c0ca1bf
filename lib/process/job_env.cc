// SPDX-License-Identifier: Apache-2.0
#include "process/job_env.h"

#include <cstdlib>
#include <cstring>

namespace distcron::process {

namespace {

constexpr std::size_t kAddedMax = 5;

/// Grows a list of "NAME=value" whose names are unique.
class EnvList {
 public:
  explicit EnvList(std::size_t room)
      : items_(static_cast<char**>(std::calloc(room + 1, sizeof(char*)))) {}

  [[nodiscard]] bool has(const char* name, std::size_t name_bytes) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (std::strncmp(items_[i], name, name_bytes) == 0 && items_[i][name_bytes] == '=') {
        return true;
      }
    }
    return false;
  }

  void add_entry(char* entry) { items_[count_++] = entry; }

  bool add_default(const char* name, const char* value) {
    if (has(name, std::strlen(name))) return true;
    const std::size_t name_bytes = std::strlen(name);
    const std::size_t value_bytes = std::strlen(value);
    auto* entry = static_cast<char*>(std::malloc(name_bytes + value_bytes + 2));
    if (entry == nullptr) return false;
    std::memcpy(entry, name, name_bytes);
    entry[name_bytes] = '=';
    std::memcpy(entry + name_bytes + 1, value, value_bytes + 1);
    add_entry(entry);
    return true;
  }

  [[nodiscard]] char** items() const { return items_; }

 private:
  char** items_;
  std::size_t count_ = 0;
};

bool is_named(const char* entry, const char* name) {
  const std::size_t bytes = std::strlen(name);
  return std::strncmp(entry, name, bytes) == 0 && entry[bytes] == '=';
}

bool add_defaults(const PlanView& plan, const UserInfo& user, EnvList& list) {
  const bool is_cron = plan.has(kPlanCompatCron);
  const bool is_cronie = plan.has(kPlanCronieEnv);
  const char* path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (is_cron) path = is_cronie ? "/usr/bin:/bin:/usr/sbin:/sbin" : "/usr/bin:/bin";
  bool ok = list.add_default("HOME", user.home.data());
  ok = list.add_default("LOGNAME", user.name.data()) && ok;
  if (!is_cron || is_cronie) ok = list.add_default("USER", user.name.data()) && ok;
  ok = list.add_default("SHELL", is_cron ? "/bin/sh" : user.shell.data()) && ok;
  return list.add_default("PATH", path) && ok;
}

}  // namespace

char** make_job_env(const PlanView& plan, const UserInfo& user, char** session_env) {
  const bool is_cron = plan.has(kPlanCompatCron);
  std::size_t session_count = 0;
  while (session_env != nullptr && session_env[session_count] != nullptr)
    ++session_count;
  EnvList list(plan.env.count + session_count + kAddedMax);
  if (list.items() == nullptr) return nullptr;
  const char* at = plan.env.data;
  for (std::uint32_t i = 0; i < plan.env.count; ++i) {
    const bool is_forced =
        is_cron && (is_named(at, "LOGNAME") || (plan.has(kPlanCronieEnv) && is_named(at, "USER")));
    if (!is_forced) list.add_entry(const_cast<char*>(at));
    at += std::strlen(at) + 1;
  }
  for (std::size_t i = 0; i < session_count; ++i) {
    const std::size_t name_bytes = std::strcspn(session_env[i], "=");
    const bool is_forced = is_named(session_env[i], "LOGNAME") || is_named(session_env[i], "USER");
    if (!is_forced && !list.has(session_env[i], name_bytes)) list.add_entry(session_env[i]);
  }
  return add_defaults(plan, user, list) ? list.items() : nullptr;
}

const char* find_env(char** envp, const char* name) {
  for (; *envp != nullptr; ++envp) {
    if (is_named(*envp, name)) return *envp + std::strlen(name) + 1;
  }
  return nullptr;
}

}  // namespace distcron::process

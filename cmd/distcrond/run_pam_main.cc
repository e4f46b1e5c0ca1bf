// SPDX-License-Identifier: Apache-2.0
// distcron-run-pam, the dynamic stub: users by NSS, and a PAM session of service "cron" for jobs
// from crontabs. It is exec'ed by distcron-run with the same descriptors and arguments.
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <security/pam_appl.h>

#include "process/stub.h"

namespace {

using distcron::process::PlanView;
using distcron::process::UserInfo;

constexpr std::size_t kEntryBytes = std::size_t{1} << 20U;
constexpr const char* kOwnName = "distcron";

pam_handle_t* session = nullptr;
bool is_session_open = false;
char** session_list = nullptr;

int find_passwd(const PlanView& plan, char* buffer, passwd& entry) {
  passwd* found = nullptr;
  const int error = plan.user.empty()
                        ? ::getpwuid_r(::geteuid(), &entry, buffer, kEntryBytes, &found)
                        : ::getpwnam_r(plan.user.data(), &entry, buffer, kEntryBytes, &found);
  if (error != 0) return error;
  return found == nullptr ? ENOENT : 0;
}

int take_groups(const passwd& entry, UserInfo& info) {
  int count = static_cast<int>(distcron::process::kGroupsMax);
  if (::getgrouplist(entry.pw_name, entry.pw_gid, info.groups.data(), &count) < 0) return E2BIG;
  info.group_count = static_cast<std::size_t>(count);
  return 0;
}

bool is_in(const UserInfo& info, gid_t gid) {
  for (std::size_t i = 0; i < info.group_count; ++i) {
    if (info.groups[i] == gid) return true;
  }
  return info.gid == gid;
}

/// Number of group `name`; ENOENT when there is none.
int find_group(const char* name, char* buffer, gid_t& gid) {
  group entry{};
  group* found = nullptr;
  const int error = ::getgrnam_r(name, &entry, buffer, kEntryBytes, &found);
  if (error != 0) return error;
  if (found == nullptr) return ENOENT;
  gid = entry.gr_gid;
  return 0;
}

void note_refused(char* buffer, UserInfo& info) {
  info.is_refused = std::strcmp(info.name.data(), kOwnName) == 0;
  gid_t own_gid = 0;
  if (find_group(kOwnName, buffer, own_gid) == 0 && is_in(info, own_gid)) info.is_refused = true;
  passwd own{};
  passwd* found = nullptr;
  if (::getpwnam_r(kOwnName, &own, buffer, kEntryBytes, &found) == 0 && found != nullptr &&
      own.pw_uid == info.uid) {
    info.is_refused = true;
  }
}

int find(const PlanView& plan, bool, UserInfo& info, bool*) {
  auto* buffer = static_cast<char*>(std::malloc(kEntryBytes));
  if (buffer == nullptr) return ENOMEM;
  passwd entry{};
  if (const int error = find_passwd(plan, buffer, entry)) return error;
  info.uid = entry.pw_uid;
  info.gid = entry.pw_gid;
  const char* home = entry.pw_dir[0] != '\0' ? entry.pw_dir : "/";
  const char* shell = entry.pw_shell[0] != '\0' ? entry.pw_shell : "/bin/sh";
  using distcron::process::copy_text;
  if (!copy_text(entry.pw_name, info.name.data(), info.name.size()) ||
      !copy_text(home, info.home.data(), info.home.size()) ||
      !copy_text(shell, info.shell.data(), info.shell.size())) {
    return ENAMETOOLONG;
  }
  if (const int error = take_groups(entry, info)) return error;
  if (!plan.group.empty()) {
    if (const int error = find_group(plan.group.data(), buffer, info.gid)) return error;
  }
  note_refused(buffer, info);
  std::free(buffer);
  return 0;
}

/// Answers no question: a job has nobody to ask.
int refuse_talk(int, const pam_message**, pam_response**, void*) {
  return PAM_CONV_ERR;
}

const pam_conv talk = {refuse_talk, nullptr};

int open_session(const PlanView& plan, bool is_root, const UserInfo& info) {
  if (!is_root || !plan.has(distcron::process::kPlanPam)) return 0;
  if (::access("/etc/pam.d/cron", F_OK) != 0) return 0;
  if (::pam_start("cron", info.name.data(), &talk, &session) != PAM_SUCCESS) return EPERM;
  (void)::pam_set_item(session, PAM_TTY, "cron");
  if (::pam_acct_mgmt(session, PAM_SILENT) != PAM_SUCCESS) return EACCES;
  if (::pam_setcred(session, PAM_ESTABLISH_CRED | PAM_SILENT) != PAM_SUCCESS) return EPERM;
  if (::pam_open_session(session, PAM_SILENT) != PAM_SUCCESS) return EPERM;
  is_session_open = true;
  session_list = ::pam_getenvlist(session);
  return 0;
}

void close_session() {
  if (session == nullptr) return;
  if (is_session_open) {
    (void)::pam_close_session(session, PAM_SILENT);
    (void)::pam_setcred(session, PAM_DELETE_CRED | PAM_SILENT);
  }
  (void)::pam_end(session, PAM_SUCCESS);
}

char** session_env() {
  return session_list;
}

void set_alarm(unsigned seconds, void (*on_expiry)(int)) {
  sigset_t alarm_only;
  ::sigemptyset(&alarm_only);
  ::sigaddset(&alarm_only, SIGALRM);

  struct sigaction action {};

  action.sa_handler = seconds != 0 ? on_expiry : SIG_DFL;
  ::sigaction(SIGALRM, &action, nullptr);
  ::sigprocmask(seconds != 0 ? SIG_UNBLOCK : SIG_BLOCK, &alarm_only, nullptr);
  ::alarm(seconds);
}

}  // namespace

int main(int argc, char** argv) {
  // Nothing is to be tidied: the record is written, and the kernel closes the rest.
  ::_exit(distcron::process::run_stub(argc, argv,
                                      {find, open_session, close_session, session_env, set_alarm}));
}

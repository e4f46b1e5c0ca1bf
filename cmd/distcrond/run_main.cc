// SPDX-License-Identifier: Apache-2.0
// distcron-run, the static stub: reads /etc/passwd and /etc/group itself and leaves NSS and PAM to
// distcron-run-pam, which it execs when one of them is needed.
#include <cerrno>

#include <signal.h>
#include <unistd.h>

#include "process/stub.h"
#include "process/text_buffer.h"

namespace {

using distcron::process::Lookup;
using distcron::process::LookupFiles;
using distcron::process::PlanView;
using distcron::process::UserInfo;

/// A user without an entry can still run its own jobs.
void describe_nameless_user(UserInfo& info) {
  info.uid = ::geteuid();
  info.gid = ::getegid();
  distcron::process::TextBuffer<16> name;
  name.add(info.uid);
  (void)distcron::process::copy_text(name.c_str(), info.name.data(), info.name.size());
  (void)distcron::process::copy_text("/", info.home.data(), info.home.size());
  (void)distcron::process::copy_text("/bin/sh", info.shell.data(), info.shell.size());
}

int find(const PlanView& plan, bool is_root, UserInfo& info, bool* wants_pam) {
  const LookupFiles files;
  if (is_root && plan.has(distcron::process::kPlanPam) && ::access("/etc/pam.d/cron", F_OK) == 0) {
    *wants_pam = true;
    return 0;
  }
  const Lookup found = lookup_in_files(files, plan.user, plan.group, ::geteuid(), info);
  const bool is_plain_root = found == Lookup::kFound && info.uid == 0 && plan.group.empty();
  if (!is_plain_root && is_root && !is_files_only(files)) {
    *wants_pam = true;
    return 0;
  }
  switch (found) {
    case Lookup::kFound:
      return 0;
    case Lookup::kNoUser:
      if (!plan.user.empty() || !plan.group.empty() || is_root) return ENOENT;
      describe_nameless_user(info);
      return 0;
    case Lookup::kNoGroup:
      return ENOENT;
    case Lookup::kUnreadable:
      return EIO;
  }
  return EIO;
}

int open_session(const PlanView&, bool, const UserInfo&) {
  return 0;
}

void close_session() {}

char** session_env() {
  return nullptr;
}

/// Reading two local files needs no limit of time.
void set_alarm(unsigned, void (*)(int)) {}

}  // namespace

int main(int argc, char** argv) {
  // Nothing is to be tidied: the record is written, and the kernel closes the rest.
  ::_exit(distcron::process::run_stub(argc, argv,
                                      {find, open_session, close_session, session_env, set_alarm}));
}

// SPDX-License-Identifier: Apache-2.0
// The executor's runs: start in batches, adoption, end, kill from outside.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/attempt_dir.h"
#include "process/executor.h"
#include "process/job_cgroup.h"
#include "process/proc_tree.h"
#include "process/stub.h"

namespace distcron::process {

namespace {

/// After a stub should have acted, it has this long before the executor acts in its place.
constexpr std::int64_t kOutsideDelayUs = 1'000'000;
constexpr std::uint64_t kTokenPidBase = std::uint64_t{1} << 32U;
constexpr int kSealsWanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr std::size_t kRateBatchMin = 16;

std::string words_of(Step step, int sys_errno) {
  if (step == Step::kUser && sys_errno == ENOENT) return "no such user or group";
  if (step == Step::kUser && sys_errno == ETIMEDOUT) return "the look-up took longer than 5 s";
  if (step == Step::kUser && sys_errno == EPERM) {
    return "an executor that is not root runs jobs only as its own user and group";
  }
  if (step == Step::kPlan) return "the plan is damaged";
  return std::strerror(sys_errno);
}

struct Refusal {
  RefuseReason reason;
  std::string_view step;
  std::string text;
};

/// What a record that tells of no run means; false when the job has run.
bool refusal_of(const EndRecord& record, Refusal& out) {
  switch (record.how) {
    case EndHow::kExited:
    case EndHow::kSignaled:
    case EndHow::kKillIncomplete:
      return false;
    case EndHow::kSetupFailed:
      out = {RefuseReason::kSetup, name_of(record.step),
             "setup_" + std::string(name_of(record.step)) + ": " +
                 words_of(record.step, record.sys_errno)};
      return true;
    case EndHow::kNotReleased:
      out = {RefuseReason::kNotReleased, {}, "the executor died before it released the run"};
      return true;
    case EndHow::kLate:
      out = {RefuseReason::kLate, {}, "the latest time to start had passed"};
      return true;
    case EndHow::kDenied:
      out = {
          RefuseReason::kPolicy, {}, "jobs never run as user 'distcron' or a member of its group"};
      return true;
  }
  return false;
}

int open_pidfd(std::int32_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

}  // namespace

void Executor::adopt() {
  for (const auto& [key, record] : journal_.state().open) {
    UniqueFd pidfd(open_pidfd(record.stub_pid));
    // Looked at after the descriptor is open, so that it is of this process and no later one.
    if (!pidfd || starttime_of(record.stub_pid) != record.stub_starttime) continue;
    Run run;
    run.record = record;
    run.pidfd = std::move(pidfd);
    add_run(std::move(run));
  }
}

void Executor::add_run(Run run) {
  const RunKey key = run.record.key;
  by_pid_[run.record.stub_pid] = key;
  watch(run.pidfd.get(), kTokenPidBase + static_cast<std::uint64_t>(run.record.stub_pid), EPOLLIN);
  if (run.record.timeout_ms > 0) {
    run.term_at_us = run.record.boot_us + run.record.timeout_ms * 1'000 + kOutsideDelayUs;
    run.kill_at_us = run.term_at_us + run.record.grace_ms * 1'000;
  }
  Run& kept = runs_[key] = std::move(run);
  arm(key, kept);
}

void Executor::arm(RunKey key, Run& run) {
  const std::int64_t at = run.term_at_us != 0 ? run.term_at_us : run.kill_at_us;
  if (at != 0) timers_.insert({at, key});
}

std::string Executor::check_plan(const Request& request, PlanHeader& header, int& reason) {
  const RunKey key = request.message.key;
  reason = static_cast<int>(RefuseReason::kDuplicate);
  if (runs_.contains(key) || journal_.is_known(key)) return "this attempt was started before";
  reason = static_cast<int>(RefuseReason::kSpawnFailed);

  struct stat info {};

  if (!request.plan || ::fstat(request.plan.get(), &info) != 0) return "no plan came along";
  if ((::fcntl(request.plan.get(), F_GET_SEALS) & kSealsWanted) != kSealsWanted) {
    return "the plan is not a sealed memory file";
  }
  static std::array<std::byte, kPlanPolicyBytes> head;
  const ssize_t got = ::pread(request.plan.get(), head.data(), head.size(), 0);
  if (got <= 0) return "the plan cannot be read";
  PolicyView view;
  const char* wrong = decode_policy_view({head.data(), static_cast<std::size_t>(got)},
                                         static_cast<std::size_t>(info.st_size), view);
  if (wrong != nullptr) return wrong;
  header = view.header;
  if (header.run_id != key.run_id || header.attempt != key.attempt) {
    return "the plan is of another attempt";
  }
  reason = static_cast<int>(RefuseReason::kPolicy);
  if (is_host_down_) return "this host is shutting down";
  const auto running = static_cast<std::int64_t>(runs_.size()) + starting_;
  std::string refused = refusal(policy_.load(), view, own_user_, running);
  if (!refused.empty()) return refused;
  reason = static_cast<int>(RefuseReason::kLate);
  if (header.start_by_boottime_us != 0 && boot_now_us() > header.start_by_boottime_us) {
    return "the latest time to start had passed";
  }
  return {};
}

bool Executor::spawn_one(Request& request, const PlanHeader& header, Spawned& out) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  const UniqueFd read_end(ends[0]);
  out.release.reset(ends[1]);
  if (::dup2(request.plan.get(), kFdPlan) != kFdPlan) return false;
  if (::dup2(read_end.get(), kFdRelease) != kFdRelease) return false;
  SpawnResult result = spawner_.front().spawn();
  // The stub must be the only reader: a stub that dies would otherwise go unnoticed here.
  (void)::dup2(0, kFdPlan);
  (void)::dup2(0, kFdRelease);
  if (result.sys_errno != 0) {
    errno = result.sys_errno;
    return false;
  }
  out.pidfd = std::move(result.pidfd);
  out.record = {request.message.key, result.pid,        starttime_of(result.pid), wall_now_us(),
                boot_now_us(),       header.timeout_ms, header.kill_grace_ms};
  return true;
}

void Executor::start_batch(std::vector<Request>& requests) {
  const std::int64_t begin_us = boot_now_us();
  std::vector<Spawned> batch;
  std::set<RunKey> in_batch;
  fail_here("before_spawn");
  for (Request& request : requests) {
    const RunKey key = request.message.key;
    PlanHeader header;
    int reason = static_cast<int>(RefuseReason::kDuplicate);
    std::string wrong = "this attempt was started before";
    if (in_batch.insert(key).second) wrong = check_plan(request, header, reason);
    if (!wrong.empty()) {
      refuse(key, reason, {}, wrong);
      continue;
    }
    Spawned spawned;
    if (!spawn_one(request, header, spawned)) {
      refuse(key, static_cast<int>(RefuseReason::kSpawnFailed), {},
             std::string("cannot start the stub: ") + std::strerror(errno));
      continue;
    }
    batch.push_back(std::move(spawned));
    ++starting_;
    fail_here("after_spawn");
  }
  requests.clear();
  release(batch);
  starting_ = 0;
  if (batch.size() >= kRateBatchMin) {
    const std::int64_t took_us = std::max<std::int64_t>(1, boot_now_us() - begin_us);
    starts_per_s_ = static_cast<std::int64_t>(batch.size()) * 1'000'000 / took_us;
  }
}

/// One journal write for all, then the releases: what is not in the journal has not run.
void Executor::release(std::vector<Spawned>& batch) {
  if (batch.empty()) return;
  std::vector<SpawnRecord> records;
  records.reserve(batch.size());
  for (const Spawned& spawned : batch)
    records.push_back(spawned.record);
  fail_here("before_journal");
  const bool is_journaled = journal_.add_spawned(records);
  const int journal_errno = errno;
  fail_here("after_journal");
  for (Spawned& spawned : batch) {
    if (!is_journaled) {
      // The pipe closes unreleased, so the stub ends; nobody waits for it but this call.
      spawned.release.reset();
      (void)::waitpid(spawned.record.stub_pid, nullptr, 0);
      clean_up(spawned.record.key);
      refuse(spawned.record.key, static_cast<int>(RefuseReason::kSpawnFailed), {},
             std::string("cannot write the executor's journal: ") + std::strerror(journal_errno));
      continue;
    }
    (void)!::write(spawned.release.get(), "g", 1);
    fail_here("after_release");
    Run run;
    run.record = spawned.record;
    run.pidfd = std::move(spawned.pidfd);
    run.is_child = true;
    Message started;
    started.type = MessageType::kStarted;
    started.key = spawned.record.key;
    started.code = spawned.record.stub_pid;
    started.a = static_cast<std::int64_t>(spawned.record.stub_starttime);
    started.b = spawned.record.wall_us;
    started.c = spawned.record.boot_us;
    add_run(std::move(run));
    post(started);
  }
  fail_here("after_batch");
}

void Executor::refuse(RunKey key, int reason, std::string_view step, std::string_view text) {
  std::string both(step);
  both += '\n';
  both += text;
  Message message;
  message.type = MessageType::kRefused;
  message.key = key;
  message.code = reason;
  message.text = both;
  post(message);
}

void Executor::reap(std::uint64_t token) {
  const auto pid = static_cast<std::int32_t>(token - kTokenPidBase);
  const auto found = by_pid_.find(pid);
  if (found == by_pid_.end()) return;
  const RunKey key = found->second;
  const auto run = runs_.find(key);
  if (run->second.is_child) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == 0) return;
  }
  by_pid_.erase(found);
  if (run->second.term_at_us != 0) timers_.erase({run->second.term_at_us, key});
  timers_.erase({run->second.kill_at_us, key});
  runs_.erase(run);
  fail_here("before_end");
  clean_up(key);
  report_end(key);
}

/// Says how an attempt ended whose stub is gone.
void Executor::report_end(RunKey key) {
  EndRecord record;
  const bool has_record = load_end_record(kFdOut, key, record) == 0;
  Refusal refused{};
  if (has_record && refusal_of(record, refused)) {
    refuse(key, static_cast<int>(refused.reason), refused.step, refused.text);
    return;
  }
  Message ended;
  ended.type = MessageType::kEnded;
  ended.key = key;
  ended.code = has_record ? 1 : 0;
  post(ended);
}

/// A stub that was killed leaves its job, its cgroup and the copy of its script behind.
void Executor::clean_up(RunKey key) {
  std::array<char, 48> script{};
  std::snprintf(script.data(), script.size(), "%lld-%d", static_cast<long long>(key.run_id),
                static_cast<int>(key.attempt));
  JobCgroup cgroup;
  if (cgroup_.jobs && cgroup.open(kFdCgroup, key) == 0) {
    EndRecord record;
    if (load_end_record(kFdOut, key, record) != 0) (void)cgroup.kill_all();
    cgroup.remove();
  }
  (void)::unlinkat(kFdScripts, script.data(), 0);
}

void Executor::handle(const Message& message) {
  const RunKey key = message.key;
  switch (message.type) {
    case MessageType::kKill:
      kill_run(key, {message.code, message.a});
      return;
    case MessageType::kAck:
      if (!runs_.contains(key)) journal_.ack(key);
      return;
    case MessageType::kRemove:
      if (runs_.contains(key)) return;
      (void)remove_attempt_dir(kFdOut, key);
      journal_.ack(key);
      return;
    case MessageType::kInventory:
      send_inventory();
      return;
    case MessageType::kSpawn:
    case MessageType::kSpool:
    case MessageType::kHello:
    case MessageType::kStarted:
    case MessageType::kRunning:
    case MessageType::kRefused:
    case MessageType::kEnded:
    case MessageType::kInventoryDone:
    case MessageType::kSpoolFile:
      return;
  }
}

void Executor::send_inventory() {
  for (const auto& [key, record] : journal_.state().open) {
    if (!runs_.contains(key)) {
      report_end(key);
      continue;
    }
    Message running;
    running.type = MessageType::kRunning;
    running.key = key;
    running.code = record.stub_pid;
    running.a = static_cast<std::int64_t>(record.stub_starttime);
    running.b = record.wall_us;
    running.c = record.boot_us;
    post(running);
  }
  Message done;
  done.type = MessageType::kInventoryDone;
  post(done);
}

void Executor::kill_run(RunKey key, const KillOrder& order) {
  const auto found = runs_.find(key);
  if (found == runs_.end()) return;
  Run& run = found->second;
  siginfo_t info{};
  info.si_signo = kKillSignal;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(pack_kill(order));
  (void)::syscall(SYS_pidfd_send_signal, run.pidfd.get(), kKillSignal, &info, 0);
  const std::int64_t grace =
      order.signum == SIGKILL ? 0 : (order.grace_ms < 0 ? run.record.grace_ms : order.grace_ms);
  const std::int64_t term_at = boot_now_us() + kOutsideDelayUs;
  const std::int64_t kill_at = term_at + grace * 1'000;
  timers_.erase({run.term_at_us, key});
  timers_.erase({run.kill_at_us, key});
  run.kill_at_us = run.kill_at_us == 0 ? kill_at : std::min(run.kill_at_us, kill_at);
  run.term_at_us = std::min(term_at, run.kill_at_us);
  arm(key, run);
}

void Executor::shut_host_down() {
  is_host_down_ = true;
  std::vector<RunKey> keys;
  for (const auto& [key, run] : runs_)
    keys.push_back(key);
  for (const RunKey& key : keys)
    kill_run(key, {SIGTERM, -1, true});
}

void Executor::check_timers() {
  const std::int64_t now = boot_now_us();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const RunKey key = timers_.begin()->second;
    timers_.erase(timers_.begin());
    const auto found = runs_.find(key);
    if (found == runs_.end()) continue;
    Run& run = found->second;
    if (run.term_at_us != 0) {
      // A stub that can act has sent SIGTERM itself a second ago.
      if (is_stuck(run.record.stub_pid)) (void)signal_descendants(run.record.stub_pid, SIGTERM);
      run.term_at_us = 0;
      if (run.kill_at_us <= now) run.kill_at_us = now + 1;
    } else {
      kill_from_outside(key, run);
      run.kill_at_us = now + kOutsideDelayUs;
    }
    arm(key, run);
  }
}

void Executor::kill_from_outside(RunKey key, const Run& run) {
  JobCgroup cgroup;
  if (cgroup_.jobs && cgroup.open(kFdCgroup, key) == 0 && cgroup.kill_all()) return;
  (void)kill_descendants(run.record.stub_pid);
}

}  // namespace distcron::process

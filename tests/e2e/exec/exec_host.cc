// SPDX-License-Identifier: Apache-2.0
#include "e2e/exec/exec_host.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/proc_tree.h"

namespace distcron::e2e {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string make_dir() {
  // In memory where possible, so that no disk is waited for.
  const char* base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  std::string path = std::string(base) + "/distcron-exec-test.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) throw std::runtime_error("cannot make a folder");
  chmod(path.c_str(), 0755);
  return path;
}

RunKey key_of_event(const ExecEvent& event) {
  if (const auto* e = std::get_if<process::ExecEnded>(&event)) return e->key;
  if (const auto* r = std::get_if<process::ExecRefused>(&event)) return r->key;
  return {};
}

}  // namespace

RunKey key_of(const SpawnPlan& plan) {
  return {plan.run_id, plan.attempt};
}

std::string probe_path() {
  return DISTCRON_PROBE;
}

ExecHost::ExecHost(std::vector<std::string> args, bool guard)
    : args_(std::move(args)), guard_(guard), dir_(make_dir()), files_(dir_ + "/state") {}

ExecHost::~ExecHost() {
  client_.reset();
  kill_all();
  std::error_code ignored;
  fs::remove_all(dir_, ignored);
}

void ExecHost::start() {
  std::vector<std::string> argv = {DISTCRON_EXEC,   "--socket",     dir_ + "/exec.sock",
                                   "--run-dir",     dir_ + "/run",  "--state-dir",
                                   dir_ + "/state", "--policy-dir", dir_ + "/policy.d"};
  argv.insert(argv.end(), args_.begin(), args_.end());
  if (guard_) argv.emplace_back("--guard");
  std::vector<char*> list;
  for (std::string& arg : argv)
    list.push_back(arg.data());
  list.push_back(nullptr);
  std::vector<char*> environment;
  for (std::string& entry : env)
    environment.push_back(entry.data());
  environment.push_back(nullptr);
  started_ = fork();
  if (started_ == 0) {
    execve(DISTCRON_EXEC, list.data(), environment.data());
    _exit(127);
  }
}

void ExecHost::connect() {
  const auto end = Clock::now() + std::chrono::seconds(10);
  for (;;) {
    auto client = process::ExecClient::connect(dir_ + "/exec.sock");
    if (client) {
      client_.emplace(std::move(*client));
      try {
        const ExecEvent event = wait_for(
            [](const ExecEvent& e) { return std::holds_alternative<process::ExecHello>(e); }, 5);
        hello_ = std::get<process::ExecHello>(event);
        return;
      } catch (const std::runtime_error&) {
        client_.reset();
      }
    }
    if (Clock::now() > end) throw std::runtime_error("cannot connect to the executor");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void ExecHost::kill_executor() {
  if (hello_.exec_pid > 1) kill(hello_.exec_pid, SIGKILL);
  if (hello_.exec_pid == started_) {
    waitpid(started_, nullptr, 0);
    started_ = -1;
  }
  client_.reset();
}

void ExecHost::kill_all() {
  if (started_ > 1) {
    kill(started_, SIGKILL);
    waitpid(started_, nullptr, 0);
    started_ = -1;
  }
  if (guard_ && hello_.exec_pid > 1) kill(hello_.exec_pid, SIGKILL);
}

ExecEvent ExecHost::wait_for(const std::function<bool(const ExecEvent&)>& wanted, int seconds) {
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    for (auto it = seen.begin(); it != seen.end(); ++it) {
      if (!wanted(*it)) continue;
      ExecEvent found = std::move(*it);
      seen.erase(it);
      return found;
    }
    if (auto sent = client_->flush(); !sent) throw std::runtime_error(sent.error().message);
    auto events = client_->read_events();
    if (!events) throw std::runtime_error(events.error().message);
    seen.insert(seen.end(), std::make_move_iterator(events->begin()),
                std::make_move_iterator(events->end()));
    if (!events->empty()) continue;
    if (Clock::now() > end) throw std::runtime_error("no such event in time");
    pollfd ready{client_->fd(),
                 static_cast<short>(client_->wants_write() ? POLLIN | POLLOUT : POLLIN), 0};
    poll(&ready, 1, 50);
  }
}

ExecEvent ExecHost::wait_end(RunKey key, int seconds) {
  return wait_for([key](const ExecEvent& e) { return key_of_event(e) == key; }, seconds);
}

EndRecord ExecHost::run(const SpawnPlan& wanted, int seconds) {
  if (auto sent = client_->spawn(wanted); !sent) throw std::runtime_error(sent.error().message);
  const ExecEvent event = wait_end(key_of(wanted), seconds);
  if (const auto* no = std::get_if<process::ExecRefused>(&event)) {
    throw std::runtime_error("refused: " + no->text);
  }
  auto record = files_.load_end_record(key_of(wanted));
  if (!record) throw std::runtime_error(record.error().message);
  return *record;
}

process::ExecRefused ExecHost::refused(const SpawnPlan& wanted) {
  if (auto sent = client_->spawn(wanted); !sent) throw std::runtime_error(sent.error().message);
  const ExecEvent event = wait_end(key_of(wanted));
  if (const auto* no = std::get_if<process::ExecRefused>(&event)) return *no;
  throw std::runtime_error("it was not refused");
}

SpawnPlan ExecHost::plan(std::vector<std::string> argv) {
  SpawnPlan made;
  made.run_id = next_run_++;
  made.attempt = 1;
  made.argv = std::move(argv);
  made.cwd = "/";
  return made;
}

std::string ExecHost::output(RunKey key, process::Stream stream) const {
  std::string all;
  std::int64_t offset = 0;
  for (;;) {
    auto chunk = files_.read(key, stream, offset, 1 << 20);
    if (!chunk) throw std::runtime_error(chunk.error().message);
    if (chunk->dropped > 0) all += "<cut " + std::to_string(chunk->dropped) + ">";
    all += chunk->bytes;
    offset = chunk->next_offset;
    if (chunk->at_end || (chunk->bytes.empty() && chunk->dropped == 0)) return all;
  }
}

std::vector<pid_t> named(const std::string& name) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid[0] < '0' || pid[0] > '9') continue;
    std::ifstream comm(entry.path() / "comm");
    std::string text;
    if (!std::getline(comm, text) || text != name) continue;
    const pid_t number = std::atoi(pid.c_str());
    if (process::starttime_of(number) != 0) found.push_back(number);  // else a zombie
  }
  return found;
}

bool eventually(const std::function<bool()>& is_true, int seconds) {
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  while (!is_true()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

long status_of(pid_t pid, const std::string& field) {
  const std::string base = "/proc/" + std::to_string(pid);
  if (field == "fds") {
    long count = 0;
    for (const auto& entry : fs::directory_iterator(base + "/fd")) {
      (void)entry;
      ++count;
    }
    return count;
  }
  std::ifstream status(base + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(field + ":", 0) == 0) return std::atol(line.c_str() + field.size() + 1);
  }
  return -1;
}

}  // namespace distcron::e2e

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <system_error>

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "cron/zone.h"
#include "ctl/clock.h"
#include "ctl/host.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not in every libc's headers

namespace distcron::ctl {
namespace {

constexpr std::size_t kReadChunk = 65'536;

Result<std::string> read_all(int fd, const std::string& path) {
  std::string text;
  std::array<char, kReadChunk> chunk{};
  for (;;) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got == 0) return text;
    if (got > 0) {
      text.append(chunk.data(), static_cast<std::size_t>(got));
    } else if (errno != EINTR) {
      return fail_errno(ErrorCode::kIo, "cannot read " + path, errno);
    }
  }
}

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t done = ::write(fd, text.data(), text.size());
    if (done >= 0) {
      text.remove_prefix(static_cast<std::size_t>(done));
    } else if (errno != EINTR) {
      return fail_errno(ErrorCode::kIo, "cannot write " + path, errno);
    }
  }
  return {};
}

ErrorCode code_of_open(int sys_errno) {
  if (sys_errno == ENOENT || sys_errno == ENOTDIR) return ErrorCode::kNotFound;
  return sys_errno == EACCES || sys_errno == EPERM ? ErrorCode::kDenied : ErrorCode::kIo;
}

class SystemHost final : public Host {
 public:
  std::string env(const std::string& name) const override {
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): one thread
    return value == nullptr ? "" : value;
  }

  bool is_readable(const std::string& path) const override {
    return ::access(path.c_str(), R_OK) == 0;
  }

  bool is_executable(const std::string& path) const override {
    return ::access(path.c_str(), X_OK) == 0;
  }

  bool is_socket(const std::string& path) const override {
    struct stat facts {};

    return ::stat(path.c_str(), &facts) == 0 && S_ISSOCK(facts.st_mode);
  }

  Result<std::string> read_file(const std::string& path) override {
    if (path == "-") return read_all(STDIN_FILENO, "standard input");
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno(code_of_open(errno), "cannot open " + path, errno);
    return read_all(fd.get(), path);
  }

  Status write_file(const std::string& path, std::string_view text, unsigned mode) override {
    make_parents(path);
    const std::string temporary = path + ".new";
    static_cast<void>(::unlink(temporary.c_str()));
    {
      const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
      if (!fd) return fail_errno(code_of_open(errno), "cannot write " + temporary, errno);
      DC_CHECK_OK(write_all(fd.get(), text, temporary));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      return fail_errno(ErrorCode::kIo, "cannot rename " + temporary + " to " + path, errno);
    }
    return {};
  }

  std::vector<std::string> list_dir(const std::string& path) const override {
    std::vector<std::string> names;
    std::error_code code;
    for (std::filesystem::directory_iterator it(path, code), end; !code && it != end;
         it.increment(code)) {
      if (it->is_regular_file(code)) names.push_back(it->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  void remove_file(const std::string& path) override { static_cast<void>(::unlink(path.c_str())); }

  WallTime now() const override { return wall_now(); }

  Millis steady() const override { return steady_now(); }

  void pause(Millis length) override { pause_for(length); }

  std::string random_hex(std::size_t bytes) override {
    std::string raw(bytes, '\0');
    if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) std::abort();
    std::string text;
    for (const char c : raw) {
      const auto byte = static_cast<unsigned char>(c);
      text += "0123456789abcdef"[byte >> 4U];
      text += "0123456789abcdef"[byte & 15U];
    }
    return text;
  }

  std::string zone_name() const override { return cron::host_zone_name(); }

  std::string host_name() const override {
    std::array<char, HOST_NAME_MAX + 1> name{};
    static_cast<void>(::gethostname(name.data(), name.size() - 1));
    return name.data();
  }

  std::string user_name() const override {
    const passwd* entry = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe): one thread
    return entry == nullptr ? std::to_string(::geteuid()) : entry->pw_name;
  }

  bool has_user(const std::string& name) const override {
    return ::getpwnam(name.c_str()) != nullptr;  // NOLINT(concurrency-mt-unsafe): one thread
  }

  bool is_root() const override { return ::geteuid() == 0; }

  bool can_ask() const override {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
  }

  std::string ask(std::string_view question) override {
    std::cerr << question << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer;
  }

  Result<int> shell(const std::string& command) override {
    std::string program = "sh";
    std::string option = "-c";
    std::string text = command;
    std::array<char*, 4> argv{program.data(), option.data(), text.data(), nullptr};
    pid_t child = 0;
    const int code = ::posix_spawn(&child, "/bin/sh", nullptr, nullptr, argv.data(), environ);
    if (code != 0) return fail_errno(ErrorCode::kIo, "cannot start " + command, code);

    // Ctrl-C is the child's while it has the terminal.
    struct sigaction ignore {};

    struct sigaction before {};

    ignore.sa_handler = SIG_IGN;
    static_cast<void>(::sigaction(SIGINT, &ignore, &before));
    int status = 0;
    pid_t ended = 0;
    do {
      ended = ::waitpid(child, &status, 0);
    } while (ended < 0 && errno == EINTR);
    const int wait_errno = errno;
    static_cast<void>(::sigaction(SIGINT, &before, nullptr));
    if (ended < 0) {
      return fail_errno(ErrorCode::kIo, "cannot wait for " + command, wait_errno);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  /// Errors show when the file is opened.
  static void make_parents(const std::string& path) {
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
      static_cast<void>(::mkdir(path.substr(0, at).c_str(), 0700));
    }
  }
};

}  // namespace

std::unique_ptr<Host> make_system_host() {
  return std::make_unique<SystemHost>();
}

}  // namespace distcron::ctl

// SPDX-License-Identifier: Apache-2.0
#include "ctl/terminal.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/result.h"
#include "base/unique_fd.h"
#include "ctl/flags.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not in every libc's headers

namespace distcron::ctl {
namespace {

/// 0, or the errno of the write that failed.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(fd, text.data(), text.size());
    if (done >= 0) {
      text.remove_prefix(static_cast<std::size_t>(done));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

winsize screen() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) size = {};
  return size;
}

std::size_t screen_width(const Host& host) {
  if (const auto columns = parse_integer(host.env("COLUMNS")); columns && *columns > 0) {
    return static_cast<std::size_t>(*columns);
  }
  const winsize size = screen();
  return size.ws_col > 0 ? size.ws_col : 80;
}

/// Feeds `text` to `command`; false when it cannot be started.
bool run_pager(std::string command, std::string_view text) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  posix_spawn_file_actions_t actions;
  if (::posix_spawn_file_actions_init(&actions) != 0) return false;
  ::posix_spawn_file_actions_adddup2(&actions, reader.get(), STDIN_FILENO);
  std::string program = "sh";
  std::string option = "-c";
  std::array<char*, 4> argv{program.data(), option.data(), command.data(), nullptr};
  pid_t child = 0;
  const int code = ::posix_spawn(&child, "/bin/sh", &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return false;
  reader.reset();
  // The reader may leave early; that is no failure.
  static_cast<void>(write_all(writer.get(), text));
  writer.reset();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
    continue;
  return true;
}

}  // namespace

Streams Terminal::streams() {
  Streams streams;
  streams.out = [this](std::string_view text) { write_out(text); };
  streams.err = [](std::string_view text) { static_cast<void>(write_all(STDERR_FILENO, text)); };
  streams.out_tty = ::isatty(STDOUT_FILENO) == 1;
  streams.err_tty = ::isatty(STDERR_FILENO) == 1;
  streams.width = screen_width(host_);
  streams.page = streams.out;
  if (streams.out_tty) streams.page = [this](std::string_view text) { page(text); };
  return streams;
}

void Terminal::write_out(std::string_view text) {
  if (write_errno_ == 0) write_errno_ = write_all(STDOUT_FILENO, text);
}

void Terminal::page(std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  std::string command = host_.env("DISTCRON_PAGER");
  if (command.empty()) command = host_.env("PAGER");
  if (command.empty()) command = "less";
  if (lines < screen().ws_row || command == "cat") return write_out(text);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
  static_cast<void>(::setenv("LESS", "FIRX", 0));
  if (!run_pager(std::move(command), text)) write_out(text);
}

bool Terminal::finish() {
  if (write_errno_ == 0 || write_errno_ == EPIPE) return true;
  const Error error = fail_errno(ErrorCode::kIo, "cannot write the result", write_errno_).value();
  static_cast<void>(write_all(STDERR_FILENO, "distcronctl: " + error.message + "\n"));
  return false;
}

}  // namespace distcron::ctl

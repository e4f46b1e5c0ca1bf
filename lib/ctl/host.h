// SPDX-License-Identifier: Apache-2.0
// What distcronctl takes from the machine that it runs on: environment, files, clock, randomness,
// terminal, child processes. An interface, so that tests state these facts. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace distcron::ctl {

class Host {
 public:
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  virtual ~Host() = default;

  /// Empty when unset.
  [[nodiscard]] virtual std::string env(const std::string& name) const = 0;
  [[nodiscard]] virtual bool is_readable(const std::string& path) const = 0;
  [[nodiscard]] virtual bool is_executable(const std::string& path) const = 0;
  [[nodiscard]] virtual bool is_socket(const std::string& path) const = 0;
  /// "-" is standard input. kNotFound, kDenied or kIo.
  [[nodiscard]] virtual Result<std::string> read_file(const std::string& path) = 0;
  /// Makes or replaces a file; parent directories are made with 0700. kIo.
  [[nodiscard]] virtual Status write_file(const std::string& path, std::string_view text,
                                          unsigned mode) = 0;
  /// Names of the plain files in a directory, sorted; empty when it cannot be read.
  [[nodiscard]] virtual std::vector<std::string> list_dir(const std::string& path) const = 0;
  virtual void remove_file(const std::string& path) = 0;

  [[nodiscard]] virtual WallTime now() const = 0;
  /// Time since an arbitrary start.
  [[nodiscard]] virtual Millis steady() const = 0;
  virtual void pause(Millis length) = 0;
  /// 2 x `bytes` hexadecimal digits from the system's generator.
  [[nodiscard]] virtual std::string random_hex(std::size_t bytes) = 0;
  [[nodiscard]] virtual std::string zone_name() const = 0;
  [[nodiscard]] virtual std::string host_name() const = 0;
  [[nodiscard]] virtual std::string user_name() const = 0;
  [[nodiscard]] virtual bool has_user(const std::string& name) const = 0;
  [[nodiscard]] virtual bool is_root() const = 0;

  /// Whether a person can be asked: stdin and stderr are terminals.
  [[nodiscard]] virtual bool can_ask() const = 0;
  /// Prints `question` on stderr and reads a line; empty at end of file.
  [[nodiscard]] virtual std::string ask(std::string_view question) = 0;
  /// Runs `command` by sh -c on the terminal and waits; its exit status. kIo.
  [[nodiscard]] virtual Result<int> shell(const std::string& command) = 0;
};

/// The machine itself.
[[nodiscard]] std::unique_ptr<Host> make_system_host();

}  // namespace distcron::ctl

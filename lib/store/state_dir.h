// SPDX-License-Identifier: Apache-2.0
// StateDir: the directory of the databases, held by one agent at a time through `lock`. The lock
// goes with the process. Used at start only.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace distcron::store {

class StateDir {
 public:
  /// Makes `path` (0700, its parent must exist) and takes its lock. kUnavailable names the agent
  /// that holds it; kDenied when others may write there.
  [[nodiscard]] static Result<StateDir> open(const std::string& path);

  /// Makes an empty file of mode 0600 unless it is there. Never follows a link.
  [[nodiscard]] Status make_file(const std::string& name) const;
  /// Makes the directory's names durable.
  [[nodiscard]] Status sync() const;

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  StateDir(std::string path, UniqueFd dir, UniqueFd lock)
      : path_(std::move(path)), dir_(std::move(dir)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd dir_;
  UniqueFd lock_;
};

}  // namespace distcron::store

// SPDX-License-Identifier: Apache-2.0
// OutputLog: copies the output of ended attempts to the system log, line by line (output.journal).
// A little at a time: a run that wrote much must not hold up the loop. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "process/run_files.h"

namespace distcron::agent {

/// The next line of `text`, without its end, as the system log can take it: at most 1000 bytes of
/// it, no control characters. Empty when there is no whole line yet and `is_end` is false; then
/// `text` is left as it is.
[[nodiscard]] std::string take_log_line(std::string& text, bool is_end);

class OutputLog {
 public:
  explicit OutputLog(const process::RunFiles& files) : files_(files) {}

  void add(process::RunKey key, std::string job);

  [[nodiscard]] bool has_work() const { return !waiting_.empty(); }

  /// Writes some of what waits.
  void step();

 private:
  struct Waiting {
    process::RunKey key;
    std::string job;
    process::Stream stream = process::Stream::kOut;
    std::int64_t offset = 0;
    std::string rest;  ///< Of the last line.
  };

  void write_lines(Waiting& run, bool is_end) const;
  static void write(const Waiting& run, std::string_view line);

  const process::RunFiles& files_;
  std::deque<Waiting> waiting_;
};

}  // namespace distcron::agent

// SPDX-License-Identifier: Apache-2.0
// The real stdout and stderr: unbuffered writes, screen size, pager. Owned by main(); one thread.
#pragma once

#include <string_view>

#include "ctl/host.h"
#include "ctl/output.h"

namespace distcron::ctl {

class Terminal {
 public:
  explicit Terminal(const Host& host) : host_(host) {}

  /// Sinks that refer to this object.
  [[nodiscard]] Streams streams();
  /// False when a result could not be written; says so on stderr.
  [[nodiscard]] bool finish();

 private:
  void write_out(std::string_view text);
  /// Through the pager when `text` has more lines than the screen.
  void page(std::string_view text);

  const Host& host_;
  int write_errno_ = 0;
};

}  // namespace distcron::ctl

// SPDX-License-Identifier: Apache-2.0
#include "ctl/watch.h"

#include <optional>
#include <utility>

#include "ctl/host.h"
#include "ctl/output.h"

namespace distcron::ctl {
namespace {

constexpr Millis kPause{1'000};

}  // namespace

Outcome watch_changes(Context& context, const std::function<Answer<Sight>()>& look) {
  Output& out = context.out;
  const bool is_screen = out.out_is_tty() && !out.is_json();
  out.stop_paging();
  std::optional<std::string> shown;
  for (;;) {
    DC_TRY(Sight sight, look());
    if (shown != sight.facts) {
      if (is_screen) {
        out.write(kClearScreen);
      } else if (shown && !out.is_json()) {
        out.write("\n");
      }
      DC_TRY(const ExitCode printed, sight.print());
      static_cast<void>(printed);
      shown = std::move(sight.facts);
    }
    context.host.pause(kPause);
  }
}

}  // namespace distcron::ctl

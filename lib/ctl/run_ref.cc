// SPDX-License-Identifier: Apache-2.0
#include "ctl/run_ref.h"

#include <algorithm>

#include "ctl/flags.h"
#include "ctl/output.h"
#include "model/units.h"

namespace distcron::ctl {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool names_job_only(std::string_view text) {
  return !is_number(text) && text.find('@') == std::string_view::npos;
}

Answer<wire::RunRef> parse_run_ref(std::string_view text, const Context& context) {
  wire::RunRef ref;
  if (is_number(text)) {
    const auto id = parse_integer(text);
    if (!id || *id == 0) return usage("\"" + std::string(text) + "\" is no run id");
    ref.run_id = *id;
    return ref;
  }
  const std::size_t at = text.find('@');
  ref.job = text.substr(0, at);
  if (at == std::string_view::npos) return ref;
  const std::string_view which = text.substr(at + 1);
  const std::string hint = "a run is an id, JOB@latest, JOB@-1 (the one before) or JOB@TIME";
  if (ref.job.empty()) return usage("\"" + std::string(text) + "\" names no job", hint);
  if (which == "latest") return ref;
  if (which.size() > 1 && which[0] == '-' && is_number(which.substr(1))) {
    const auto back = parse_integer(which.substr(1));
    if (!back) return usage("\"" + std::string(text) + "\" names no run", hint);
    ref.back = *back;
    return ref;
  }
  const auto instant = model::parse_time(which, *context.out.options().zone, context.now);
  if (!instant) return usage("\"" + std::string(text) + "\" names no run", hint);
  ref.at = *instant;
  return ref;
}

}  // namespace distcron::ctl

// SPDX-License-Identifier: Apache-2.0
// modules: config
// Job files, settings and single values from people: reading never crashes, and a job that was
// read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/job_file.h"
#include "config/load_settings.h"

namespace {

using namespace distcron;

void read_jobs_twice(const std::string& text) {
  const config::JobFile first = config::parse_job_file(text, "fuzz.toml");
  static_cast<void>(config::format_problems(first.problems));
  if (!first.problems.empty()) return;
  for (const config::JobFileEntry& entry : first.jobs) {
    const config::JobFile second =
        config::parse_job_file(config::format_job_toml(entry.spec), "again.toml");
    if (second.jobs.size() != 1 || !(second.jobs.front().spec == entry.spec)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  read_jobs_twice(text);
  config::LoadedSettings loaded =
      config::load_settings({.files = {{"fuzz.toml", text}}, .environment = {}, .sets = {text}});
  config::resolve_defaults(loaded, config::HostFacts{});
  static_cast<void>(config::format_settings(loaded, true));
  model::JobSpec spec;
  const std::size_t equals = text.find('=');
  if (equals != std::string::npos) {
    static_cast<void>(config::set_field(spec, text.substr(0, equals), text.substr(equals + 1)));
  }
  return 0;
}

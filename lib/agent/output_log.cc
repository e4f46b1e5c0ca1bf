// SPDX-License-Identifier: Apache-2.0
#include "agent/output_log.h"

#include <algorithm>
#include <utility>

#include <syslog.h>

namespace distcron::agent {

namespace {
constexpr std::int64_t kBytesPerStep = 64 << 10;
constexpr std::size_t kLineBytesMax = 1000;
}  // namespace

std::string take_log_line(std::string& text, bool is_end) {
  const std::size_t found = text.find('\n');
  const bool is_long = std::min(found, text.size()) >= kLineBytesMax;
  if (found == std::string::npos && !is_long && !is_end) return {};
  const std::size_t size = std::min({found, text.size(), kLineBytesMax});
  std::string line = text.substr(0, size);
  text.erase(0, size == found ? size + 1 : size);
  for (char& c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = ' ';
  }
  return line;
}

void OutputLog::add(process::RunKey key, std::string job) {
  waiting_.push_back(Waiting{key, std::move(job), process::Stream::kOut, 0, {}});
}

void OutputLog::write(const Waiting& run, std::string_view line) {
  const char* stream = run.stream == process::Stream::kErr ? "stderr" : "stdout";
  syslog(LOG_CRON | LOG_INFO, "output job=%s run=%lld attempt=%d %s: %.*s", run.job.c_str(),
         static_cast<long long>(run.key.run_id), run.key.attempt, stream,
         static_cast<int>(line.size()), line.data());
}

void OutputLog::write_lines(Waiting& run, bool is_end) const {
  while (!run.rest.empty()) {
    const std::size_t before = run.rest.size();
    const std::string line = take_log_line(run.rest, is_end);
    if (run.rest.size() == before) return;
    if (!line.empty()) write(run, line);
  }
}

void OutputLog::step() {
  if (waiting_.empty()) return;
  Waiting& run = waiting_.front();
  const auto chunk = files_.read(run.key, run.stream, run.offset, kBytesPerStep);
  if (chunk) {
    if (chunk->dropped > 0) {
      write_lines(run, true);
      write(run, "[" + std::to_string(chunk->dropped) + " bytes left out]");
    }
    run.rest += chunk->bytes;
    run.offset = chunk->next_offset;
    const bool is_end = chunk->at_end || chunk->bytes.empty();
    write_lines(run, is_end);
    if (!is_end) return;
  }
  if (run.stream == process::Stream::kErr) {
    waiting_.pop_front();
    return;
  }
  run.stream = process::Stream::kErr;
  run.offset = 0;
  run.rest.clear();
}

}  // namespace distcron::agent

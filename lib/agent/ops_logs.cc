// SPDX-License-Identifier: Apache-2.0
// Operation run.logs: pieces of a run's output, with long polls for followers.
#include <algorithm>
#include <utility>

#include "agent/operations.h"

namespace distcron::agent {

namespace {

constexpr Millis kRelayWait{3'000};
constexpr Millis kLogPollMax{30'000};
constexpr std::int64_t kPieceMax = 1 << 20;
constexpr std::int64_t kTailScanMax = 8 << 20;  // how far back `-n LINES` looks
constexpr std::int64_t kTailStep = 64 << 10;

/// Offset of the first of the last `lines` lines.
std::int64_t tail_offset(const process::RunFiles& files, process::RunKey key,
                         process::Stream stream, std::int64_t lines) {
  const auto size = files.size(key, stream);
  if (!size) return 0;
  const std::int64_t end = size->written;
  std::int64_t found = 0;
  for (std::int64_t back = kTailStep;; back += kTailStep) {
    const std::int64_t from = std::max<std::int64_t>(0, end - back);
    const std::int64_t length = std::min(back, end) - (back - kTailStep);
    const auto chunk = files.read(key, stream, from, length);
    if (!chunk) return from;
    const std::string& bytes = chunk->bytes;
    const std::int64_t begin = chunk->next_offset - static_cast<std::int64_t>(bytes.size());
    for (std::int64_t i = static_cast<std::int64_t>(bytes.size()) - 1; i >= 0; --i) {
      const bool is_last_byte = begin + i + 1 == end;
      if (bytes[static_cast<std::size_t>(i)] != '\n' || is_last_byte) continue;
      if (++found == lines) return begin + i + 1;
    }
    if (from == 0 || back >= kTailScanMax || chunk->dropped > 0) return from;
  }
}

}  // namespace

void Operations::run_logs(const Call& call, const wire::LogsRequest& request) {
  if (request.stream != "out" && request.stream != "err") {
    call.refuse(Error{ErrorCode::kInvalid, "unknown stream \"" + request.stream + "\"", 0,
                      "one of: out, err"});
    return;
  }
  with_run(call, request.run, [this, request](const Call& asked, const model::Run& run) {
    const bool is_elsewhere = run.node_id > 0 && run.node_id != facts_.node_id;
    if (is_elsewhere && !asked.is_relayed()) {
      relay(asked, run.node_id, Millis(request.wait_ms) + kRelayWait);
      return;
    }
    const bool live = !model::is_final(run.state);
    const bool waits = request.wait_ms > 0 && live && log_polls_.size() < kPollsMax;
    if (try_logs(asked, request, run, !waits)) return;
    const Millis wait = std::min(Millis(request.wait_ms), kLogPollMax);
    log_polls_.push_back(LogPoll{asked, request, run, now_.mono + wait});
  });
}

bool Operations::try_logs(const Call& call, const wire::LogsRequest& request, const model::Run& run,
                          bool last_chance) {
  const std::int32_t attempt = request.attempt > 0 ? request.attempt : run.attempt;
  const process::RunKey key{run.run_id, attempt};
  const process::Stream stream =
      request.stream == "err" ? process::Stream::kErr : process::Stream::kOut;
  wire::LogsReply reply;
  reply.run_id = run.run_id;
  reply.attempt = attempt;
  reply.state = model::name_of(run.state);
  const bool over = model::is_final(run.state) || attempt < run.attempt;
  std::int64_t offset = request.offset;
  if (offset < 0) {
    offset = request.lines > 0 ? tail_offset(host_.files(), key, stream, request.lines) : 0;
  }
  const std::int64_t most = std::clamp<std::int64_t>(request.max_bytes, 1, kPieceMax);
  auto chunk = attempt > 0 ? host_.files().read(key, stream, offset, most)
                           : Result<process::OutputChunk>(process::OutputChunk{});
  if (!chunk) {
    call.refuse(chunk.error());
    return true;
  }
  reply.dropped = chunk->dropped;
  // Removed to keep within output.keep.bytes: say so instead of showing an empty output.
  const bool is_gone = over && attempt == run.attempt && run.output_bytes > 0 &&
                       chunk->end_offset == 0 && host_.kept_bytes(run.run_id) == 0;
  if (is_gone) reply.dropped = run.output_bytes;
  reply.next_offset = std::max(chunk->next_offset, offset);
  reply.offset = reply.next_offset - static_cast<std::int64_t>(chunk->bytes.size());
  reply.end = over && (chunk->at_end || attempt == 0);
  reply.bytes = std::move(chunk->bytes);
  if (reply.bytes.empty() && reply.dropped == 0 && !reply.end && !last_chance) return false;
  call.answer(reply);
  return true;
}

}  // namespace distcron::agent

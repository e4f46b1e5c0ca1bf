// SPDX-License-Identifier: Apache-2.0
// The agent's end of the executor's socket. Non-blocking; owned and called by the loop thread only.
// Put fd() into the poll set: always for POLLIN, for POLLOUT too while wants_write().
// When the executor dies, a call returns kUnavailable: connect() again, then inventory().
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "process/exec_port.h"

namespace distcron::process {

class ExecClient final : public ExecPort {
 public:
  /// Connects to the executor's socket; the path must fit a unix socket (107 bytes).
  /// kUnavailable: nobody listens (yet). kInvalid: the path is too long. Does not block.
  [[nodiscard]] static Result<ExecClient> connect(const std::string& socket_path);

  [[nodiscard]] int fd() const override { return fd_.get(); }

  [[nodiscard]] bool wants_write() const override { return !queue_.empty(); }

  /// kUnavailable beyond kQueueMax.
  [[nodiscard]] Status spawn(const SpawnPlan& plan) override;
  [[nodiscard]] Status kill(RunKey key, int signum, std::int64_t grace_ms) override;
  [[nodiscard]] Status ack(RunKey key) override;
  [[nodiscard]] Status remove(RunKey key) override;
  [[nodiscard]] Status inventory() override;
  [[nodiscard]] Status ask_spool(std::int64_t question, const std::string& name) override;
  [[nodiscard]] Status flush() override;
  /// At most kEventsPerRead.
  [[nodiscard]] Result<std::vector<ExecEvent>> read_events() override;

  static constexpr std::size_t kQueueMax = 20'000;
  static constexpr std::size_t kEventsPerRead = 4'096;

 private:
  struct Outgoing {
    std::string bytes;
    UniqueFd plan;
  };

  explicit ExecClient(UniqueFd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] Status post(Outgoing message);
  [[nodiscard]] Status try_send(const Outgoing& message, bool& would_block);

  UniqueFd fd_;
  std::deque<Outgoing> queue_;
};

}  // namespace distcron::process

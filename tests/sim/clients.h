// SPDX-License-Identifier: Apache-2.0
// Clients of the cluster: each has one request out, sends it again elsewhere when no answer comes,
// and judges the answers. The log gives one order of all requests; they are linearizable exactly
// when each one's place is behind all that had been answered before it was made.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "consensus/message.h"
#include "sim/machine.h"
#include "sim/queue.h"

namespace distcron::sim {

class World;

struct Request {
  bool is_read = false;
  std::uint64_t seq = 0;    ///< Of its first command.
  std::uint64_t count = 0;  ///< Commands.
  std::size_t payload = 0;
  std::int64_t attempt = 0;
};

class Clients {
 public:
  explicit Clients(World& world);

  void start();
  void on_start(std::int64_t client);
  void on_timeout(std::int64_t arg);

  [[nodiscard]] Request request_of(std::int64_t client) const { return at(client).request; }

  // Answers. Of an attempt that the client has given up: dropped.
  void on_failed(std::int64_t client, std::int64_t attempt);
  void on_written(std::int64_t client, std::int64_t attempt, const Machine::ClientRow& row,
                  consensus::NodeId through);
  void on_read(std::int64_t client, std::int64_t attempt, consensus::Index index,
               consensus::NodeId through);

  /// Highest place of a request that has been answered.
  [[nodiscard]] consensus::Index answered() const { return answered_; }

  [[nodiscard]] std::int64_t acked_commands() const { return acked_commands_; }

  [[nodiscard]] std::int64_t reads() const { return reads_; }

  /// Last command that each client knows to be done.
  [[nodiscard]] std::uint64_t acked_seq(std::int64_t client) const { return at(client).acked; }

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(clients_.size()); }

  /// Writes begun and answered since this was last called.
  [[nodiscard]] std::int64_t fresh_writes() const { return fresh_writes_; }

  void count_fresh_from(SimTime at);

 private:
  struct Client {
    Request request;
    bool is_out = false;
    bool is_reader = false;  ///< Only reads, through anyone.
    SimTime made_at = 0;
    consensus::Index floor = 0;  ///< answered() when the request was made.
    std::uint64_t acked = 0;
    consensus::NodeId hint = 0;
  };

  [[nodiscard]] const Client& at(std::int64_t client) const {
    return clients_[static_cast<std::size_t>(client)];
  }

  [[nodiscard]] Client& at(std::int64_t client) {
    return clients_[static_cast<std::size_t>(client)];
  }

  void attempt(std::int64_t client);
  void finish(std::int64_t client);

  World& world_;
  Rng rng_;
  std::vector<Client> clients_;
  consensus::Index answered_ = 0;
  std::int64_t acked_commands_ = 0;
  std::int64_t reads_ = 0;
  std::int64_t fresh_writes_ = 0;
  SimTime fresh_from_ = 0;
};

}  // namespace distcron::sim

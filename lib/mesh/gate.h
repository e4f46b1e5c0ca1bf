// SPDX-License-Identifier: Apache-2.0
// Gate: what became of the connections to a bound socket, from libzmq's monitor, so that those that
// never were let in can be told, with where they came from. Loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include <zmq.hpp>

#include "mesh/refusals.h"
#include "mesh/zmq_io.h"

namespace distcron::mesh {

class Gate {
 public:
  /// Before bind. `socket` and `refusals` must outlive it.
  Gate(zmq::context_t& context, zmq::socket_t& socket, Refusals& refusals);

  /// For zmq::poll. Who reads late does not learn who was cut at once.
  [[nodiscard]] void* socket() { return monitor_.socket(); }

  /// Reads what has happened. Never blocks.
  void read();
  /// A message has come by this connection, so it was let in.
  void on_message(zmq::message_t& frame);

  /// Ends the connection that this frame came in by, unless it has ended already.
  void cut(zmq::message_t& frame);

  /// Handshakes that failed, of keys that ZAP refused too.
  [[nodiscard]] std::int64_t failed() const { return failed_; }

  /// Connections that ended.
  [[nodiscard]] std::int64_t ended() const { return ended_; }

 private:
  struct Visitor {
    std::string from;  ///< "127.0.0.1:4711", "uid:1000,pid:4712"; empty: it was gone already.
    std::chrono::steady_clock::time_point since;
    bool has_spoken = false;
  };

  void fetch();
  void on_event(const SocketEvent& event);
  void on_accepted(int fd);
  void on_end(int fd);

  Refusals& refusals_;
  Monitor monitor_;
  std::deque<SocketEvent> events_;    ///< Taken, not handled yet.
  std::map<int, Visitor> visitors_;   ///< By descriptor; as many as there are connections.
  std::int64_t silent_ = 0;           ///< Let in, and have not spoken yet.
  std::optional<SocketEvent> fault_;  ///< Of the connection that ends next.
  std::int64_t failed_ = 0;
  std::int64_t ended_ = 0;
};

}  // namespace distcron::mesh

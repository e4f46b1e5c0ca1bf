// SPDX-License-Identifier: Apache-2.0
// PeerSessions: which connection speaks for which key, so that it can be cut when the key is no
// longer wanted. libzmq's stable API ends no single connection of a ROUTER; shutting down its TCP
// does. A descriptor's number may have gone to another file since, so the address at its far end,
// noted with the first message, must still be the same. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include <sys/socket.h>

#include <zmq.hpp>

#include "base/time.h"

namespace distcron::mesh {

class PeerSessions {
 public:
  struct Session {
    std::string key;  ///< z85
    bool is_guest = false;
    MonoTime since{};
    MonoTime last{};
    int fd = -1;
    sockaddr_storage far_end{};
  };

  using Wanted = std::function<bool(const Session&)>;

  /// Notes that a message has come.
  void note(const std::string& routing_id, Session session, zmq::message_t& frame);

  [[nodiscard]] bool has(const std::string& routing_id) const {
    return sessions_.count(routing_id) > 0;
  }

  [[nodiscard]] int guests() const { return guests_; }

  /// Cuts and forgets those that `is_wanted` says no to; returns how many.
  int cut_unwanted(const Wanted& is_wanted);
  /// Cuts the connection that this frame came in by. False: gone, or cut before: what was still
  /// queued from it must not cut whoever has its descriptor now.
  bool cut(const std::string& routing_id, zmq::message_t& frame);

  static constexpr std::size_t kPerKeyMax = 8;  ///< Of one key the newest are remembered.
  static constexpr std::size_t kCutsMax = 1'024;

 private:
  using Map = std::map<std::string, Session>;

  Map::iterator forget(Map::iterator at);
  void make_room(const std::string& key);
  void remember_cut(const std::string& routing_id);

  Map sessions_;
  std::map<std::string, std::size_t> per_key_;
  std::set<std::string> cuts_;  ///< Routing ids, which are not used again.
  std::deque<std::string> cuts_in_order_;
  int guests_ = 0;
};

}  // namespace distcron::mesh

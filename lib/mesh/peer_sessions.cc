// SPDX-License-Identifier: Apache-2.0
#include "mesh/peer_sessions.h"

#include <cstring>
#include <utility>

#include <netinet/in.h>

#include "mesh/zmq_io.h"

namespace distcron::mesh {

namespace {

sockaddr_storage far_end_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets API wants it.
  if (fd < 0 || ::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return address;
}

bool is_tcp(const sockaddr_storage& address) {
  return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

bool cut_connection(int fd, const sockaddr_storage& far_end) {
  const sockaddr_storage now = far_end_of(fd);
  const bool is_same = is_tcp(now) && std::memcmp(&now, &far_end, sizeof now) == 0;
  return is_same && ::shutdown(fd, SHUT_RDWR) == 0;
}

}  // namespace

void PeerSessions::note(const std::string& routing_id, Session session, zmq::message_t& frame) {
  const auto known = sessions_.find(routing_id);
  if (known != sessions_.end()) {
    known->second.last = session.last;
    return;
  }
  make_room(session.key);
  session.fd = source_fd(frame);
  session.far_end = far_end_of(session.fd);
  ++per_key_[session.key];
  if (session.is_guest) ++guests_;
  sessions_.emplace(routing_id, std::move(session));
}

int PeerSessions::cut_unwanted(const Wanted& is_wanted) {
  int count = 0;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    if (is_wanted(at->second)) {
      ++at;
      continue;
    }
    if (cut_connection(at->second.fd, at->second.far_end)) ++count;
    remember_cut(at->first);
    at = forget(at);
  }
  return count;
}

bool PeerSessions::cut(const std::string& routing_id, zmq::message_t& frame) {
  if (cuts_.count(routing_id) > 0) return false;
  remember_cut(routing_id);
  const auto known = sessions_.find(routing_id);
  if (known == sessions_.end()) {
    const int fd = source_fd(frame);
    return cut_connection(fd, far_end_of(fd));
  }
  const bool is_cut = cut_connection(known->second.fd, known->second.far_end);
  forget(known);
  return is_cut;
}

void PeerSessions::remember_cut(const std::string& routing_id) {
  if (!cuts_.insert(routing_id).second) return;
  cuts_in_order_.push_back(routing_id);
  if (cuts_in_order_.size() <= kCutsMax) return;
  cuts_.erase(cuts_in_order_.front());
  cuts_in_order_.pop_front();
}

PeerSessions::Map::iterator PeerSessions::forget(Map::iterator at) {
  if (at->second.is_guest) --guests_;
  const auto count = per_key_.find(at->second.key);
  if (--count->second == 0) per_key_.erase(count);
  return sessions_.erase(at);
}

void PeerSessions::make_room(const std::string& key) {
  const auto count = per_key_.find(key);
  if (count == per_key_.end() || count->second < kPerKeyMax) return;
  auto oldest = sessions_.end();
  for (auto at = sessions_.begin(); at != sessions_.end(); ++at) {
    const bool is_older = oldest == sessions_.end() || at->second.last < oldest->second.last;
    if (at->second.key == key && is_older) oldest = at;
  }
  if (oldest != sessions_.end()) forget(oldest);
}

}  // namespace distcron::mesh

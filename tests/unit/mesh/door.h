// SPDX-License-Identifier: Apache-2.0
// Door: a ControlServer with a loop of its own that answers each message with the sender's user id
// and the text. What the server thread saw may be read after stop().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <zmq.hpp>

#include "mesh/control_server.h"

namespace distcron::mesh {

inline KeyPair key_pair() {
  Result<KeyPair> pair = make_key_pair();
  REQUIRE(pair.has_value());
  return *pair;
}

class Door {
 public:
  Door(std::vector<std::string> endpoints, std::set<std::string> known)
      : Door(std::move(endpoints), std::move(known), key_pair()) {}

  Door(std::vector<std::string> endpoints, std::set<std::string> known, KeyPair keys)
      : keys_(std::move(keys)), known_(std::move(known)) {
    auto server = ControlServer::make(context_, keys_, endpoints, [this](const std::string& key) {
      return known_.count(key) > 0;
    });
    const std::string error = server ? "" : server.error().message;
    CAPTURE(error);
    REQUIRE(server.has_value());
    server_ = std::move(*server);
    thread_ = std::thread([this] { run(); });
  }

  ~Door() { stop(); }

  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  void stop() {
    stops_ = true;
    if (thread_.joinable()) thread_.join();
    if (server_ != nullptr) counters_ = server_->counters();
    server_.reset();
  }

  [[nodiscard]] const KeyPair& keys() const { return keys_; }

  [[nodiscard]] int served() const { return served_; }

  /// Keys that were not let in, also while it runs.
  [[nodiscard]] std::int64_t refused() const { return refused_; }

  [[nodiscard]] const ControlCounters& counters() const { return counters_; }

  /// A key file that fits this door.
  [[nodiscard]] KeyFile key_file(const KeyPair& pair) const {
    return {"test", pair.public_key, pair.secret_key, keys_.public_key};
  }

 private:
  void run() {
    while (!stops_) {
      std::vector<zmq::pollitem_t> items;
      for (void* socket : server_->sockets())
        items.push_back({socket, 0, ZMQ_POLLIN, 0});
      zmq::poll(items, std::chrono::milliseconds(10));
      for (const Incoming& incoming : server_->receive(100)) {
        ++served_;
        const std::string reply = incoming.user_id + " " + incoming.bytes.substr(0, 100);
        static_cast<void>(server_->send(incoming.peer, reply));
      }
      refused_ = server_->counters().refused_keys;
    }
  }

  KeyPair keys_;
  std::set<std::string> known_;
  zmq::context_t context_{1};
  std::unique_ptr<ControlServer> server_;
  std::atomic<bool> stops_ = false;
  std::atomic<int> served_ = 0;
  std::atomic<std::int64_t> refused_ = 0;
  ControlCounters counters_;
  std::thread thread_;
};

}  // namespace distcron::mesh

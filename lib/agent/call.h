// SPDX-License-Identifier: Apache-2.0
// Call: one request under way, with who asks and the way back. Values that may be copied; loop
// thread only.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/result.h"
#include "model/enums.h"
#include "model/job_spec.h"
#include "wire/codec.h"
#include "wire/envelope.h"

namespace distcron::agent {

/// Who asks, as the key says.
struct Caller {
  std::string public_key;
  std::string name;
  model::Role role = model::Role::kViewer;
  model::TextList run_as;
  std::string jobs;  ///< Glob; empty: all.
  std::string host;  ///< Only jobs pinned to this host; empty: all.
};

/// One request under way. Copies share the way back; exactly one answer is given.
class Call {
 public:
  using Send = std::function<void(const wire::Reply& reply)>;

  Call(Caller caller, wire::Request request, bool is_relayed, Send send)
      : caller_(std::move(caller)),
        request_(std::move(request)),
        is_relayed_(is_relayed),
        send_(std::move(send)) {}

  [[nodiscard]] const Caller& caller() const { return caller_; }

  [[nodiscard]] const wire::Request& request() const { return request_; }

  /// Came over another member, and goes no further.
  [[nodiscard]] bool is_relayed() const { return is_relayed_; }

  void refuse(const Error& error) const;
  /// Hands on another member's answer.
  void answer_as(const wire::Reply& reply) const;
  void answer_bytes(std::string body) const;

  template <class Body>
  void answer(const Body& body) const {
    answer_bytes(wire::encode(body));
  }

 private:
  Caller caller_;
  wire::Request request_;
  bool is_relayed_ = false;
  Send send_;
};

}  // namespace distcron::agent

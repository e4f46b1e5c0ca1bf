// SPDX-License-Identifier: Apache-2.0
// The envelopes of the control protocol and what many requests share. Plain values; keys are
// append only.
#pragma once

#include <cstdint>
#include <string>

#include "model/job_spec.h"
#include "model/visit.h"

namespace distcron::wire {

using model::Field;
using model::TextList;
using model::TextMap;

/// What travels to the agent. `body` is the encoded request of `op`.
struct Request {
  std::int32_t op = 0;
  std::int64_t id = 0;  ///< Comes back in the reply.
  std::string body;
  std::string request_id;  ///< Idempotency key of changing operations.
  bool dry_run = false;
  bool stale = false;
  std::string note;  ///< --reason
};

DC_VISIT(Request, m) {
  visit(Field{"op", ""}, m.op);
  visit(Field{"id", ""}, m.id);
  visit(Field{"body", ""}, m.body);
  visit(Field{"request_id", ""}, m.request_id);
  visit(Field{"dry_run", ""}, m.dry_run);
  visit(Field{"stale", ""}, m.stale);
  visit(Field{"note", ""}, m.note);
}

/// `code` is the ErrorCode number + 1, 0 for success.
struct Reply {
  std::int64_t id = 0;
  std::int32_t code = 0;
  std::string message;
  std::string hint;
  std::string body;
};

DC_VISIT(Reply, m) {
  visit(Field{"id", ""}, m.id);
  visit(Field{"code", ""}, m.code);
  visit(Field{"message", ""}, m.message);
  visit(Field{"hint", ""}, m.hint);
  visit(Field{"body", ""}, m.body);
}

struct Empty {};

DC_VISIT(Empty, m) {
  static_cast<void>(m);
  static_cast<void>(visit);
}

/// Which jobs a verb means: names and globs, a label selector, or all.
struct JobTargets {
  TextList names;
  std::string selector;
  bool all = false;
};

DC_VISIT(JobTargets, m) {
  visit(Field{"names", ""}, m.names);
  visit(Field{"selector", ""}, m.selector);
  visit(Field{"all", ""}, m.all);
}

}  // namespace distcron::wire

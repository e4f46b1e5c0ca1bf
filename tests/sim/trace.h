// SPDX-License-Identifier: Apache-2.0
// What happened, as small records: the last ones are kept for a failing seed, all of them go into
// a hash that two runs of one seed must agree on, and --trace prints them as they come.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "base/hash.h"
#include "consensus/events.h"
#include "sim/marks.h"
#include "sim/queue.h"

namespace distcron::sim {

enum class Mark : std::uint8_t {
  kSend,       ///< node a to node b, message
  kLost,       ///< as kSend; never arrives
  kReceive,    ///< at node a from node b, message
  kRole,       ///< node a is now role b in term c
  kCommit,     ///< node a: commit index b
  kDurable,    ///< node a: on its disk are term b and the log up to c
  kTruncate,   ///< node a: entries after b are replaced
  kCrash,      ///< node a lost b unsynced writes, kept c
  kRestart,    ///< node a starts with log b..c
  kSnapshot,   ///< node a has a snapshot at b
  kInstalled,  ///< node a has installed the snapshot at b
  kConfig,     ///< node a: c members since entry b
  kAck,        ///< client a: its command c has been acknowledged at index b
  kRead,       ///< client a: read at index b through node c
  kRefused,    ///< node a refused an order or proposal
  kOp,         ///< line a of the script
  kPhase,      ///< phase a begins
  kForged,     ///< node a gets a forged message from node b
};

struct Record {
  SimTime at = 0;
  Mark mark = Mark::kOp;
  consensus::MessageKind kind = consensus::MessageKind::kAppend;
  bool reject = false;
  std::uint16_t count = 0;
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int64_t c = 0;
  std::int64_t term = 0;
  std::int64_t index = 0;
  std::int64_t commit = 0;
};

[[nodiscard]] std::string format_record(const Record& record);

class Trace {
 public:
  static constexpr std::size_t kKept = 256;

  void add(const Record& r) {
    const auto u = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
    hash_ = mix64(hash_ ^ u(r.at));
    hash_ = mix64(hash_ ^
                  (u(r.a) << 48U ^ u(r.b) << 24U ^ u(r.c) ^ u(static_cast<int>(r.mark)) << 60U));
    hash_ = mix64(hash_ ^ (u(r.term) << 40U ^ u(r.index) << 20U ^ u(r.commit)));
    last_[added_ % kKept] = r;
    ++added_;
    if (listener) listener(r);
  }

  [[nodiscard]] std::uint64_t hash() const { return hash_; }

  [[nodiscard]] std::uint64_t added() const { return added_; }

  /// The last records, oldest first, one a line; at most `count`.
  [[nodiscard]] std::string tail(std::size_t count) const;

  Marks marks;                                  ///< Situations that were reached.
  std::function<void(const Record&)> listener;  ///< Called for each record, if set.

 private:
  std::array<Record, kKept> last_{};
  std::uint64_t added_ = 0;
  std::uint64_t hash_ = 0;
};

}  // namespace distcron::sim

// SPDX-License-Identifier: Apache-2.0
// Slots of a job: the union of its schedules, which of them were missed, and short texts about
// them. Pure functions; a Zone comes from the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/state_data.h"

namespace distcron::planner {

/// Time after its slot until which a claim is merely late: min(interval/2, this).
inline constexpr Micros kLateMax{30'000'000};
/// Missed slots of one job and cause that get rows of their own in one turn; earlier ones share
/// one.
inline constexpr std::size_t kMissedRowsMax = 1000;
/// Slots of one job, and of all, that one turn looks at; the rest follows in the next turn.
inline constexpr std::int64_t kSlotsOfJobMax = 100'000;
inline constexpr std::int64_t kSlotsOfTurnMax = 200'000;
/// Most slots that misfire = all runs again, whatever catchup_max says.
inline constexpr std::int64_t kCatchupMax = 1000;
static_assert(kCatchupMax <= static_cast<std::int64_t>(kMissedRowsMax));

/// Next slot strictly after `after` over all schedules; nullopt when there is none.
[[nodiscard]] std::optional<WallTime> next_slot_of(const Job& job, WallTime after,
                                                   const cron::Zone& zone);

[[nodiscard]] bool is_slot(const Job& job, WallTime at, const cron::Zone& zone);

/// Smallest gap between the next few slots; nullopt with fewer than two.
[[nodiscard]] std::optional<Seconds> interval_of(const Job& job, const cron::Zone& zone,
                                                 WallTime from);

/// How much later than its slot a run starts: the same for every attempt and host.
[[nodiscard]] Micros jitter_of(const Job& job, WallTime slot);

/// Time limits of a job's slots.
struct SlotLimits {
  Micros late{};    ///< Later than this is a misfire.
  Micros window{};  ///< Later than this never starts.
};

[[nodiscard]] SlotLimits limits_of(const model::JobSpec& spec, std::optional<Seconds> interval);

/// A row of slots, of which the newest few are kept one by one.
class SlotTail {
 public:
  explicit SlotTail(std::size_t kept_max) : kept_max_(kept_max) {}

  void add(WallTime slot);

  [[nodiscard]] std::int64_t count() const { return count_; }

  [[nodiscard]] bool is_empty() const { return count_ == 0; }

  /// The newest ones, ascending.
  [[nodiscard]] std::vector<WallTime> kept() const;

  /// What is not kept: count, first and last (count 0: nothing).
  struct Earlier {
    std::int64_t count = 0;
    WallTime first{};
    WallTime last{};
  };

  [[nodiscard]] Earlier earlier() const { return earlier_; }

 private:
  std::size_t kept_max_;
  std::vector<WallTime> ring_;
  std::size_t head_ = 0;  ///< Oldest of a full ring.
  std::int64_t count_ = 0;
  Earlier earlier_;
};

/// The undecided slots of a job up to now, sorted by how late they are.
struct SlotScan {
  SlotTail too_late{kMissedRowsMax};
  SlotTail misfires{kMissedRowsMax};
  std::vector<WallTime> on_time;
  std::int64_t looked_at = 0;
  bool is_cut = false;            ///< There are more; look again after these are decided.
  std::optional<WallTime> ahead;  ///< First slot after now.
};

[[nodiscard]] SlotScan scan_slots(const Job& job, const cron::Zone& zone, WallTime now,
                                  const SlotLimits& limits);

/// "2026-11-21T02:30:00Z", with milliseconds where there are any.
[[nodiscard]] std::string utc_text(WallTime at);
/// "2h5m", "31s", "250ms"; rounded down to what matters.
[[nodiscard]] std::string span_text(Micros span);

/// Why `slot` is one, in one line for the row of its run.
[[nodiscard]] model::Fact schedule_fact(const Job& job, WallTime slot, const cron::Zone& zone);

}  // namespace distcron::planner

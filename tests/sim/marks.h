// SPDX-License-Identifier: Apache-2.0
// Situations that the simulator must reach now and then: one that is never reached is one that is
// not tested. distcron-sim --marks prints how often each was; the long test wants each often.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace distcron::sim {

enum class Situation : std::uint8_t {
  kEntriesReplaced,
  kConfigRolledBack,
  kLeaderCrashed,
  kUnsyncedLost,
  kWriteTorn,
  kStateBehindLog,
  kSnapshotInstalled,
  kInstallLost,
  kMemberPromoted,
  kMemberRemoved,
  kLeaderRemoved,
  kRemovedCampaigns,
  kHandedOver,
  kLeaderDiskFull,
  kLeaderWokeSuperseded,
  kReadThroughFollower,
  kStaleTermReceived,
  kCommandRepeated,
  kOnlyMinorityBroken,
};

struct SituationName {
  Situation situation;
  std::string_view name;
};

constexpr std::array kSituations{
    SituationName{Situation::kEntriesReplaced, "entries_replaced"},
    SituationName{Situation::kConfigRolledBack, "config_rolled_back"},
    SituationName{Situation::kLeaderCrashed, "leader_crashed"},
    SituationName{Situation::kUnsyncedLost, "unsynced_lost"},
    SituationName{Situation::kWriteTorn, "write_torn"},
    SituationName{Situation::kStateBehindLog, "state_behind_log"},
    SituationName{Situation::kSnapshotInstalled, "snapshot_installed"},
    SituationName{Situation::kInstallLost, "install_lost"},
    SituationName{Situation::kMemberPromoted, "member_promoted"},
    SituationName{Situation::kMemberRemoved, "member_removed"},
    SituationName{Situation::kLeaderRemoved, "leader_removed"},
    SituationName{Situation::kRemovedCampaigns, "removed_campaigns"},
    SituationName{Situation::kHandedOver, "handed_over"},
    SituationName{Situation::kLeaderDiskFull, "leader_disk_full"},
    SituationName{Situation::kLeaderWokeSuperseded, "leader_woke_superseded"},
    SituationName{Situation::kReadThroughFollower, "read_through_follower"},
    SituationName{Situation::kStaleTermReceived, "stale_term_received"},
    SituationName{Situation::kCommandRepeated, "command_repeated"},
    SituationName{Situation::kOnlyMinorityBroken, "minority_stays_broken"},
};

/// How often each situation was reached.
class Marks {
 public:
  void add(Situation situation) { ++counts_[static_cast<std::size_t>(situation)]; }

  void add(const Marks& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i)
      counts_[i] += other.counts_[i];
  }

  [[nodiscard]] std::int64_t count(Situation situation) const {
    return counts_[static_cast<std::size_t>(situation)];
  }

 private:
  std::array<std::int64_t, kSituations.size()> counts_{};
};

}  // namespace distcron::sim

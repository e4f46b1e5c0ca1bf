// SPDX-License-Identifier: Apache-2.0
// Zone: the UTC offsets of one IANA time zone as a sorted table, and local time texts.
// Immutable and shared; safe to read from any thread. ZoneCache has one owner and no locks.
// Reads the system's tzdata when a zone is loaded (the exception to this module's "no I/O");
// afterwards pure. Nothing here depends on the host's own zone except host_zone_name().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace distcron::cron {

/// A stretch of UTC with one offset. All times are seconds since 1970.
struct ZoneSegment {
  std::int64_t begin = 0;        ///< First instant; the first segment begins before year 1.
  std::int64_t end = 0;          ///< First instant of the next one.
  std::int64_t fresh_short = 0;  ///< Before this, local times repeat (changes of <= 3 h only).
  std::int64_t fresh_any = 0;    ///< Before this, local times repeat (changes of any size).
  std::int32_t offset = 0;       ///< Local minus UTC, seconds.
  std::int32_t jump = 0;         ///< offset minus the previous one's; > 0: a gap ends at begin.
  std::uint16_t abbreviation = 0;
};

class Zone {
 public:
  /// An offset that starts at an instant, as the tz database has it.
  struct Change {
    std::int64_t at = 0;
    std::int32_t offset = 0;
    std::string abbreviation;
  };

  /// The zone "UTC", without reading tzdata.
  [[nodiscard]] static std::shared_ptr<const Zone> utc();

  /// For load_zone() and tests. `changes` is sorted and not empty; its first entry also covers all
  /// time before it.
  Zone(std::string name, const std::vector<Change>& changes);

  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] Seconds local_offset(WallTime at) const;
  [[nodiscard]] std::string_view abbreviation(WallTime at) const;

  /// The segments in order; never empty.
  [[nodiscard]] const std::vector<ZoneSegment>& segments() const { return segments_; }

  /// Index of the segment that holds `at` (seconds since 1970).
  [[nodiscard]] std::size_t segment_of(std::int64_t at) const;

 private:
  static constexpr int kBucketBits = 25;  ///< A bucket is 388 days: at most a few changes.
  std::string name_;
  std::vector<ZoneSegment> segments_;
  std::vector<std::string> abbreviations_;
  std::int64_t bucket_base_ = 0;
  std::vector<std::uint16_t> buckets_;  ///< Last segment that begins at or before the bucket.
};

/// Loads an IANA zone. kInvalid with near names as hint when there is none of this name,
/// kUnavailable when the tz database cannot be read. "UTC" always works.
[[nodiscard]] Result<std::shared_ptr<const Zone>> load_zone(std::string_view name);

/// Zones loaded once. One owner, not shared between threads (the zones may be).
class ZoneCache {
 public:
  [[nodiscard]] Result<std::shared_ptr<const Zone>> find(std::string_view name);

 private:
  std::map<std::string, std::shared_ptr<const Zone>, std::less<>> zones_;
};

/// Names of all zones and their aliases, sorted; empty when tzdata is missing.
[[nodiscard]] std::vector<std::string> zone_names();

/// Version of the installed tz database, such as "2026a"; "unknown" when it cannot be read.
[[nodiscard]] std::string tzdata_version();

/// The host's zone: TZ, else the link /etc/localtime, else /etc/timezone, else "UTC".
/// Reads the environment and the file system; not for code that must be pure.
[[nodiscard]] std::string host_zone_name();

/// "2026-11-21 02:30:00 CET". Fractions of a second are cut.
[[nodiscard]] std::string format_local(WallTime at, const Zone& zone);

/// "2026-11-21T01:30:00Z". Fractions of a second are cut.
[[nodiscard]] std::string format_utc(WallTime at);

/// A time text: seconds since 1970, in UTC when the text has an offset, else local.
struct LocalTimeText {
  std::int64_t seconds = 0;
  bool has_offset = false;
};

/// Reads the forms of parse_local_time() without a zone.
[[nodiscard]] Result<LocalTimeText> read_local_time(std::string_view text);

/// First instant whose local time is `local` (seconds since 1970 as if UTC); the end of the gap
/// when a clock change skips it.
[[nodiscard]] std::int64_t first_instant(std::int64_t local, const Zone& zone);

/// Reads "2026-11-21[ T]02:30[:ss]", "2026-11-21", each also with "Z" or "+01:00" at the end;
/// without offset the time is in `zone`. A time that a clock change skips means the first instant
/// after the gap, one that is repeated means the first of the two.
[[nodiscard]] Result<WallTime> parse_local_time(std::string_view text, const Zone& zone);

}  // namespace distcron::cron

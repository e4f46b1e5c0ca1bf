// SPDX-License-Identifier: Apache-2.0
#include "cron/zone.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace distcron::cron {

namespace {

constexpr std::int64_t kBeginOfTime = std::numeric_limits<std::int64_t>::min() / 4;
constexpr std::int64_t kEndOfTime = std::numeric_limits<std::int64_t>::max() / 4;
/// A repeat of at most this long is a clock change in the sense of cron(8), beyond a new calendar.
constexpr std::int64_t kRepeatMax = 3 * 3600;

std::uint16_t index_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  const auto index = static_cast<std::uint16_t>(found - names.begin());
  if (found == names.end()) names.push_back(name);
  return index;
}

}  // namespace

std::shared_ptr<const Zone> Zone::utc() {
  static const auto zone =
      std::make_shared<const Zone>("UTC", std::vector<Change>{{kBeginOfTime, 0, "UTC"}});
  return zone;
}

Zone::Zone(std::string name, const std::vector<Change>& changes) : name_(std::move(name)) {
  assert(!changes.empty());
  segments_.reserve(changes.size());
  std::int64_t fresh_short = kBeginOfTime;
  std::int64_t fresh_any = kBeginOfTime;
  for (const Change& change : changes) {
    ZoneSegment segment;
    segment.begin = segments_.empty() ? kBeginOfTime : change.at;
    segment.end = kEndOfTime;
    segment.offset = change.offset;
    segment.abbreviation = index_of(abbreviations_, change.abbreviation);
    if (!segments_.empty()) {
      ZoneSegment& before = segments_.back();
      assert(before.begin < change.at);
      before.end = change.at;
      segment.jump = change.offset - before.offset;
      const std::int64_t fresh_at = change.at - std::min(segment.jump, 0);
      if (segment.jump < 0) fresh_any = std::max(fresh_any, fresh_at);
      if (segment.jump < 0 && -segment.jump <= kRepeatMax) {
        fresh_short = std::max(fresh_short, fresh_at);
      }
    }
    segment.fresh_short = fresh_short;
    segment.fresh_any = fresh_any;
    segments_.push_back(segment);
  }
  if (segments_.size() == 1) return;

  bucket_base_ = segments_[1].begin;
  const std::int64_t span = segments_.back().begin - bucket_base_;
  std::size_t index = 1;
  for (std::int64_t bucket = 0; bucket <= (span >> kBucketBits); ++bucket) {
    const std::int64_t start = bucket_base_ + (bucket << kBucketBits);
    while (segments_[index].end <= start)
      ++index;
    buckets_.push_back(static_cast<std::uint16_t>(index));
  }
}

std::size_t Zone::segment_of(std::int64_t at) const {
  if (buckets_.empty() || at < bucket_base_) return 0;
  const auto bucket = static_cast<std::uint64_t>(at - bucket_base_) >> kBucketBits;
  std::size_t index = buckets_[std::min<std::uint64_t>(bucket, buckets_.size() - 1)];
  while (segments_[index].end <= at)
    ++index;
  return index;
}

Seconds Zone::local_offset(WallTime at) const {
  return Seconds(segments_[segment_of(epoch_seconds(at))].offset);
}

std::string_view Zone::abbreviation(WallTime at) const {
  return abbreviations_[segments_[segment_of(epoch_seconds(at))].abbreviation];
}

Result<std::shared_ptr<const Zone>> ZoneCache::find(std::string_view name) {
  if (const auto known = zones_.find(name); known != zones_.end()) return known->second;
  DC_TRY(auto zone, load_zone(name));
  zones_.emplace(std::string(name), zone);
  return zone;
}

}  // namespace distcron::cron

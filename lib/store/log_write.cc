// SPDX-License-Identifier: Apache-2.0
// The writes of LogDb. Each is one transaction; what is kept in memory follows only its commit.
#include <algorithm>
#include <utility>

#include "store/log_chain.h"
#include "store/log_db.h"

namespace distcron::store {
namespace {

constexpr std::int64_t kSweepRows = 1000;

std::int64_t size_of(const LogEntry& entry) {
  return static_cast<std::int64_t>(entry.bytes.size());
}

}  // namespace

Status LogDb::in_transaction(const std::function<Status()>& body) {
  DC_CHECK_OK(db_->begin());
  Status done = body();
  if (done) done = db_->commit();
  if (!done) db_->roll_back();
  return done;
}

Status LogDb::put_meta(std::string_view key, std::int64_t value) {
  put_meta_.bind(1, key);
  put_meta_.bind(2, value);
  return put_meta_.run();
}

Status LogDb::put_hard(const HardState& hard) {
  DC_CHECK_OK(put_meta("term", hard.term));
  return put_meta("vote", hard.vote);
}

Status LogDb::put_start(const std::string& prefix, const LogStart& start) {
  DC_CHECK_OK(put_meta(prefix + "_index", start.index));
  DC_CHECK_OK(put_meta(prefix + "_term", start.term));
  DC_CHECK_OK(put_meta(prefix + "_config_index", start.config.index));
  const std::string key = prefix + "_config";
  put_meta_.bind(1, std::string_view(key));
  put_meta_.bind_blob(2, start.config.bytes);
  return put_meta_.run();
}

Status LogDb::begin(const LogStart& start) {
  const HardState hard{start.term, 0};
  const bool is_restored = start.index > 0;
  const Status done = in_transaction([&]() -> Status {
    DC_CHECK_OK(put_start("base", start));
    DC_CHECK_OK(put_meta("base_crc", 0));
    DC_CHECK_OK(put_meta("restored", is_restored ? 1 : 0));
    return put_hard(hard);
  });
  if (!done) return done;
  base_ = start;
  base_crc_ = 0;
  last_ = Link{start.index, start.term, 0};
  hard_ = hard;
  is_restored_ = is_restored;
  is_new_ = false;
  return {};
}

Status LogDb::check_fits(const DurableBatch& batch, std::int64_t last) const {
  for (const LogEntry& entry : batch.entries) {
    if (entry.index > last + 1) {
      return fail(ErrorCode::kInvalid, "cannot store log entry " + std::to_string(entry.index) +
                                           " in '" + db_->path() + "': the log holds " +
                                           std::to_string(base_.index + 1) + " to " +
                                           std::to_string(last));
    }
    if (entry.index > base_.index) last = entry.index;
  }
  return {};
}

std::vector<Status> LogDb::write(const std::vector<DurableBatch>& batches) {
  std::vector<Status> statuses;
  statuses.reserve(batches.size());
  std::int64_t last = last_.index;
  HardState hard = hard_;
  for (const DurableBatch& batch : batches) {
    statuses.push_back(check_fits(batch, last));
    if (!statuses.back()) continue;
    if (!batch.entries.empty()) last = std::max(base_.index, batch.entries.back().index);
    if (batch.hard) hard = *batch.hard;
  }
  const std::int64_t bytes_before = bytes_;
  Link last_after = last_;
  const Status done = in_transaction([&]() -> Status {
    for (std::size_t i = 0; i < batches.size(); ++i) {
      if (statuses[i]) DC_CHECK_OK(write_batch(batches[i], last_after));
    }
    if (is_restored_ && last_after.index > base_.index) DC_CHECK_OK(put_meta("restored", 0));
    return hard == hard_ ? Status() : put_hard(hard);
  });
  if (done) {
    last_ = last_after;
    hard_ = hard;
    is_restored_ = is_restored_ && last_.index == base_.index;
    return statuses;
  }
  bytes_ = bytes_before;
  for (Status& status : statuses) {
    if (status) status = done;
  }
  return statuses;
}

Status LogDb::write_batch(const DurableBatch& batch, Link& last) {
  DC_CHECK_OK(write_entries(batch, last));
  return write_journal(batch);
}

Status LogDb::write_entries(const DurableBatch& batch, Link& last) {
  for (const LogEntry& entry : batch.entries) {
    if (entry.index <= base_.index) continue;
    if (entry.index <= last.index) DC_CHECK_OK(cut_from(entry.index, last));
    const std::uint32_t crc = chained_crc(last.crc, entry);
    insert_.bind(1, entry.index);
    insert_.bind(2, entry.term);
    insert_.bind(3, static_cast<std::int64_t>(crc));
    insert_.bind(4, static_cast<std::int64_t>(entry.kind));
    insert_.bind_blob(5, entry.bytes);
    DC_CHECK_OK(insert_.run());
    last = Link{entry.index, entry.term, crc};
    bytes_ += size_of(entry);
  }
  return {};
}

Status LogDb::write_journal(const DurableBatch& batch) {
  for (const JournalPut& put : batch.journal) {
    journal_put_.bind(1, put.run_id);
    journal_put_.bind(2, put.attempt);
    journal_put_.bind(3, static_cast<std::int64_t>(put.kind));
    journal_put_.bind(4, std::string_view(put.boot_id));
    journal_put_.bind_blob(5, put.bytes);
    DC_CHECK_OK(journal_put_.run());
  }
  for (const JournalDrop& drop : batch.dropped) {
    journal_drop_.bind(1, drop.run_id);
    journal_drop_.bind(2, drop.attempt);
    DC_CHECK_OK(journal_drop_.run());
  }
  return {};
}

Status LogDb::cut_from(std::int64_t index, Link& last) {
  DC_TRY(const std::int64_t cut_bytes, bytes_between(index - 1, last.index));
  cut_.bind(1, index);
  DC_CHECK_OK(cut_.run());
  DC_TRY(last, link_at(index - 1));
  bytes_ -= cut_bytes;
  return {};
}

Result<std::int64_t> LogDb::bytes_between(std::int64_t after, std::int64_t through) {
  const StmtScope scope(bytes_between_);
  bytes_between_.bind(1, after);
  bytes_between_.bind(2, through);
  DC_TRY(const bool row, bytes_between_.step());
  return row ? bytes_between_.integer(0) : 0;
}

Status LogDb::save_hard_state(const HardState& hard) {
  DC_CHECK_OK(in_transaction([&] { return put_hard(hard); }));
  hard_ = hard;
  return {};
}

Status LogDb::compact(std::int64_t index, const LogConfig& config) {
  if (index <= base_.index) return {};
  if (index > last_.index) {
    return fail(ErrorCode::kInvalid, "cannot let '" + db_->path() + "' begin after entry " +
                                         std::to_string(index) + ": the log holds " + range());
  }
  DC_TRY(const Link link, link_at(index));
  DC_TRY(const std::int64_t bytes, bytes_between(base_.index, index));
  const LogStart start{link.index, link.term, config};
  const Status done = in_transaction([&]() -> Status {
    DC_CHECK_OK(put_start("base", start));
    return put_meta("base_crc", link.crc);
  });
  if (!done) return done;
  base_ = start;
  base_crc_ = link.crc;
  bytes_ -= bytes;
  has_garbage_ = true;
  return {};
}

Status LogDb::sweep() {
  has_garbage_ = false;
  sweep_.bind(1, base_.index);
  sweep_.bind(2, kSweepRows);
  DC_CHECK_OK(sweep_.run());
  DC_TRY(const std::int64_t first, db_->ask("SELECT min(idx) FROM log"));
  has_garbage_ = first > 0 && first <= base_.index;
  return {};
}

Status LogDb::begin_install(const LogStart& start) {
  DC_CHECK_OK(in_transaction([&] { return put_start("install", start); }));
  install_ = start;
  return {};
}

Status LogDb::end_install() {
  const LogStart start = install_.value_or(base_);
  const Status done = in_transaction([&]() -> Status {
    DC_CHECK_OK(db_->exec("DELETE FROM log"));
    DC_CHECK_OK(put_start("base", start));
    DC_CHECK_OK(put_meta("base_crc", 0));
    DC_CHECK_OK(put_meta("restored", 0));
    return put_start("install", {});
  });
  if (!done) return done;
  base_ = start;
  base_crc_ = 0;
  last_ = Link{start.index, start.term, 0};
  bytes_ = 0;
  install_.reset();
  is_restored_ = false;
  return {};
}

}  // namespace distcron::store

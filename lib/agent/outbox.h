// SPDX-License-Identifier: Apache-2.0
// Outbox: what follows a final run: the line in the system log, cron's mail, and the job's notify
// rules. Mail and commands are started by the executor as the job's own user, under attempt
// numbers from kOutboxAttempt on, so that neither can do more than the job. Loop thread only.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "agent/host.h"
#include "planner/state.h"

namespace distcron::agent {

struct OutboxFacts {
  std::string host_name;
  std::string sendmail;  ///< Path; empty or missing: output is kept and shown by `logs`.
  bool is_root = false;
  bool writes_syslog = false;
};

class Outbox {
 public:
  Outbox(OutboxFacts facts, planner::State& state, Host& host);

  void on_final(const model::Run& run);

  void set_sendmail(const std::string& path) { facts_.sendmail = path; }

  /// A sentence for `cluster status` when mail could not be sent; empty otherwise.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }

 private:
  void write_syslog(const model::Run& run, const model::JobSpec* spec) const;
  void send_cron_mail(const model::Run& run, const model::JobSpec& spec);
  void run_rules(const model::Run& run, const model::JobSpec& spec, bool was_failing);
  void send_mail(const model::Run& run, const model::JobSpec& spec, const std::string& to,
                 const std::string& subject, const std::string& body);
  void start(const model::Run& run, const model::JobSpec& spec, process::SpawnPlan plan);

  OutboxFacts facts_;
  planner::State& state_;
  Host& host_;
  std::set<std::uint64_t> failing_;  ///< Jobs whose last run was not ok.
  std::int32_t counter_ = 0;
  std::string complaint_;
};

}  // namespace distcron::agent

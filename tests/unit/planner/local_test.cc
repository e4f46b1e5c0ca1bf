// SPDX-License-Identifier: Apache-2.0
// What a host started by itself while it had no majority, as the log takes it.
#include <doctest/doctest.h>

#include "unit/planner/fleet.h"

namespace distcron::planner {

using namespace std::chrono_literals;
using model::OnNoQuorum;
using model::Reason;
using model::ReportKind;
using model::RunState;
using model::Trigger;

namespace {

constexpr std::int64_t kLocalId = model::local_ids_of(3) + 1;  // of web3

/// Three hosts; job `a` runs each hour on web3, also without a majority.
struct Alone : Fleet {
  Alone() : Fleet(3) {
    for (int i = 2; i <= 3; ++i)
      introduce(i, model::kFeatureLevel);
    put(pinned());
  }

  static model::JobSpec pinned() {
    model::JobSpec job = World::spec("a", "0 * * * *");
    job.on = "name=web3";
    job.on_no_quorum = OnNoQuorum::kRunLocal;
    return job;
  }

  Applied introduce(std::int64_t id, std::int32_t level) {
    model::PutNode command = node("boot-web" + std::to_string(id));
    command.id = id;
    command.name = "web" + std::to_string(id);
    command.feature_level = level;
    return apply(std::move(command));
  }

  [[nodiscard]] model::LocalRun line(std::int64_t run_id, WallTime slot,
                                     ReportKind kind = ReportKind::kEnded,
                                     RunState outcome = RunState::kOk) const {
    model::LocalRun out;
    out.run_id = run_id;
    out.job_uid = job("a").uid;
    out.job = "a";
    out.job_version = 1;
    out.scheduled_at = slot;
    out.accepted_at = slot;
    if (run_id == 0) return out;
    out.report.kind = kind;
    out.report.run_id = run_id;
    out.report.attempt = 1;
    out.report.outcome = outcome;
    out.report.started_at = slot + 5ms;
    if (kind == ReportKind::kEnded) out.report.ended_at = slot + 1s;
    return out;
  }

  Applied tell_alone(std::vector<model::LocalRun> lines, std::int64_t node_id = 3) {
    return apply(model::LocalRuns{node_id, std::move(lines)});
  }

  [[nodiscard]] std::string facts_of(std::int64_t run_id) const {
    std::string out;
    for (const model::Fact& fact : run(run_id).facts)
      out += fact.check + ": " + fact.text + "\n";
    return out;
  }

  [[nodiscard]] std::vector<std::string> rows_at(WallTime slot) const {
    std::vector<std::string> out;
    for (const auto& [id, row] : rows.runs) {
      const bool is_local = row.origin == model::local_origin(id);
      if (row.scheduled_at == slot)
        out.push_back((is_local ? "local" : row.origin) + " " + outcome(id));
    }
    return out;
  }
};

}  // namespace

TEST_SUITE("planner") {
  TEST_CASE("a slot that its host ran alone is decided by that and has one row") {
    Alone fleet;
    fleet.sleep(3h + 1s);

    REQUIRE(
        fleet
            .tell_alone({fleet.line(kLocalId, kT0 + 1h),
                         fleet.line(kLocalId + 1, kT0 + 2h, ReportKind::kEnded, RunState::kFailed)})
            .status);

    CHECK(fleet.rows_at(kT0 + 1h) == std::vector<std::string>{"local ok"});
    CHECK(fleet.rows_at(kT0 + 2h) == std::vector<std::string>{"local failed"});
    CHECK(fleet.run(kLocalId).trigger == Trigger::kLocal);
    CHECK(fleet.run(kLocalId).node == "web3");
    CHECK(fleet.facts_of(kLocalId).find("by host web3 alone") != std::string::npos);
    CHECK(fleet.facts_of(kLocalId).find("duplicate") == std::string::npos);
    CHECK(fleet.orders_of<EndCommitted>().size() == 2);
    // The rest is the scheduler's, under ids of its own.
    const std::vector<model::Decision> decided = fleet.settle();
    REQUIRE(decided.size() == 1);
    CHECK(decided.front().scheduled_at == kT0 + 3h);
    CHECK(fleet.state.next_run_id() < 10);
    CHECK(fleet.rows_at(kT0 + 3h) == std::vector<std::string>{"schedule dispatched"});
    CHECK(fleet.rows.load().dump() == fleet.state.dump());
  }

  TEST_CASE("what is said twice of a run that was started alone counts once") {
    Alone fleet;
    fleet.sleep(1h + 1s);
    fleet.tell_alone({fleet.line(kLocalId, kT0 + 1h)});
    const std::string before = fleet.state.dump();

    REQUIRE(fleet.tell_alone({fleet.line(kLocalId, kT0 + 1h)}).status);

    CHECK(fleet.state.dump() == before);
    CHECK(fleet.orders_of<EndCommitted>().size() == 1);  // its host may forget it
  }

  TEST_CASE("slots that the host let go by are missed without a majority, or skipped") {
    Alone fleet;
    fleet.sleep(4h + 1s);
    model::LocalRun overlapped = fleet.line(0, kT0 + 2h);
    overlapped.reason = Reason::kOverlap;
    model::LocalRun missed = fleet.line(0, kT0 + 3h);
    missed.reason = Reason::kNoMajority;
    missed.detail = "and 2 slots from then on";

    fleet.tell_alone(
        {fleet.line(kLocalId, kT0 + 1h), overlapped, missed, fleet.line(kLocalId + 1, kT0 + 4h)});

    CHECK(fleet.rows_at(kT0 + 2h) == std::vector<std::string>{"schedule skipped(overlap)"});
    CHECK(fleet.rows_at(kT0 + 3h) == std::vector<std::string>{"schedule missed(no_majority)"});
    CHECK(fleet.settle().empty());
    CHECK(fleet.orders_of<RunFinal>().size() == 4);
    CHECK(fleet.job("a").cursor == kT0 + 4h);
  }

  TEST_CASE("a row that waits for the host gives way to the run that it started alone") {
    Alone fleet;
    fleet.hush(3);
    fleet.sleep(1h);
    fleet.settle();
    REQUIRE(fleet.rows_at(kT0 + 1h) == std::vector<std::string>{"schedule queued(host_down)"});
    const std::int64_t queued = fleet.last_run().run_id;

    fleet.tell_alone({fleet.line(kLocalId, kT0 + 1h)});

    CHECK(fleet.rows_at(kT0 + 1h) == std::vector<std::string>{"local ok"});
    CHECK(fleet.state.find_live_run(queued) == nullptr);
    CHECK(fleet.facts_of(kLocalId).find("duplicate") == std::string::npos);
  }

  TEST_CASE("beside a row that is over, the run that was started alone is called a duplicate") {
    Alone fleet;
    fleet.hush(3);
    fleet.sleep(1h);
    fleet.settle();
    fleet.sleep(2h + 1s);
    fleet.settle();
    REQUIRE(fleet.rows_at(kT0 + 1h) == std::vector<std::string>{"schedule missed(host_down)"});

    fleet.tell_alone({fleet.line(kLocalId, kT0 + 1h)});

    CHECK(fleet.rows_at(kT0 + 1h) ==
          std::vector<std::string>{"schedule missed(host_down)", "local ok"});
    CHECK(fleet.facts_of(kLocalId).find("duplicate: possibly duplicate") != std::string::npos);
    const Explanation why = fleet.state.explain(&fleet.job("a"), "a", kT0 + 1h, fleet.situation.now,
                                                fleet.run(kLocalId));
    CHECK(why.verdict == "ok");
    CHECK(std::any_of(why.facts.begin(), why.facts.end(),
                      [](const model::Fact& fact) { return fact.check == "duplicate"; }));
  }

  TEST_CASE("a run that was started alone and lives on is a run as any other") {
    Alone fleet;
    fleet.sleep(1h + 1s);
    fleet.tell_alone({fleet.line(kLocalId, kT0 + 1h, ReportKind::kStarted)});
    REQUIRE(fleet.state.find_live_run(kLocalId) != nullptr);
    CHECK(fleet.outcome(kLocalId) == "running");
    fleet.sleep(1h);
    fleet.settle();
    CHECK(fleet.rows_at(kT0 + 2h) == std::vector<std::string>{"schedule skipped(overlap)"});

    fleet.tell(kLocalId, ReportKind::kEnded);

    CHECK(fleet.outcome(kLocalId) == "ok");
    CHECK(fleet.orders_of<EndCommitted>().size() == 1);
  }

  TEST_CASE(
      "one that the host did not start after all is missed; one of an earlier boot is unknown") {
    Alone fleet;
    fleet.sleep(2h + 1s);
    model::LocalRun refused = fleet.line(kLocalId, kT0 + 1h, ReportKind::kUnstarted);
    refused.report.reason = Reason::kHostCrash;
    model::LocalRun lost =
        fleet.line(kLocalId + 1, kT0 + 2h, ReportKind::kEnded, RunState::kUnknown);
    lost.report.reason = Reason::kHostReboot;

    fleet.tell_alone({refused, lost});

    CHECK(fleet.rows_at(kT0 + 1h) == std::vector<std::string>{"local missed(host_crash)"});
    CHECK(fleet.rows_at(kT0 + 2h) == std::vector<std::string>{"local unknown(host_reboot)"});
  }

  TEST_CASE("nothing of a job is decided until its host has said what it started alone") {
    Alone fleet;
    fleet.hush(3);
    fleet.sleep(1h);
    fleet.settle();
    fleet.wake(3);
    fleet.situation.nodes.at(2).has_local_runs = true;
    fleet.sleep(1h + 1s);

    CHECK(fleet.settle().empty());
    REQUIRE(fleet.wake_at);
    CHECK(*fleet.wake_at <= fleet.situation.now + 1s);

    fleet.situation.nodes.at(2).has_local_runs = false;
    fleet.sleep(1s);
    CHECK_FALSE(fleet.settle().empty());
  }

  TEST_CASE("a removed host is not believed what it started alone") {
    Alone fleet;
    fleet.sleep(1h + 1s);
    fleet.apply(model::RemoveNode{.node_id = 3, .leaves = false});

    const Applied applied = fleet.tell_alone({fleet.line(kLocalId, kT0 + 1h)});

    REQUIRE_FALSE(applied.status);
    CHECK(applied.status.error().code == ErrorCode::kDenied);
  }

  TEST_CASE("while a member does not know run-local all take a job as that one does") {
    Alone fleet;
    fleet.introduce(2, model::kLocalLevel - 1);
    const std::int64_t version = fleet.job("a").version;

    model::JobSpec job = Alone::pinned();
    job.name = "b";
    REQUIRE(fleet.put(job).status);
    CHECK(fleet.job("b").spec->on_no_quorum == OnNoQuorum::kSkip);
    job.on.clear();  // it need not be pinned either
    REQUIRE(fleet.put(job).status);
    CHECK(fleet.job("b").version == 2);
    // For that member the job is what it was.
    job = Alone::pinned();
    job.on_no_quorum = OnNoQuorum::kSkip;
    REQUIRE(fleet.put(job).status);
    CHECK(fleet.job("a").version == version);
    REQUIRE(fleet.apply(model::PutSetting{"no_quorum_max", "soon"}).status);
    CHECK(fleet.state.no_quorum_max() == Millis(24h));
  }

  TEST_CASE("nobody waits for long for what a host cannot say, as a member would not know it") {
    Alone fleet;
    fleet.introduce(2, model::kLocalLevel - 1);
    fleet.situation.nodes.at(2).has_local_runs = true;
    fleet.sleep(1h + 1s);

    CHECK(fleet.settle().empty());
    fleet.situation.local_wait_is_over = true;
    fleet.sleep(1s);
    CHECK_FALSE(fleet.settle().empty());
  }

  TEST_CASE("what two hosts say of one slot are two rows") {
    Alone fleet;
    fleet.sleep(1h + 1s);
    REQUIRE(fleet.tell_alone({fleet.line(kLocalId, kT0 + 1h)}).status);
    const std::int64_t other = model::local_ids_of(2) + 1;

    REQUIRE(fleet.tell_alone({fleet.line(other, kT0 + 1h)}, 2).status);

    CHECK(fleet.rows_at(kT0 + 1h) == std::vector<std::string>{"local ok", "local ok"});
    CHECK(fleet.run(kLocalId).origin != fleet.run(other).origin);
    CHECK(fleet.facts_of(other).find("possibly duplicate") != std::string::npos);
  }

  TEST_CASE("a host is believed what it started alone only as far as it may say it") {
    Alone fleet;
    fleet.sleep(2h + 1s);
    const auto is_denied = [](const Applied& applied) {
      return !applied.status && applied.status.error().code == ErrorCode::kDenied;
    };
    const std::string before = fleet.state.dump();
    CHECK(is_denied(fleet.tell_alone({fleet.line(7, kT0 + 1h)})));
    CHECK(is_denied(fleet.tell_alone({fleet.line(model::local_ids_of(3), kT0 + 1h)})));
    CHECK(is_denied(fleet.tell_alone({fleet.line(model::local_ids_of(4) + 1, kT0 + 1h)})));
    CHECK(fleet.state.dump() == before);

    // A job of another host goes on as it is decided.
    const WallTime cursor = fleet.job("a").cursor;
    model::LocalRun missed = fleet.line(0, kT0 + 1h);
    missed.reason = Reason::kNoMajority;
    REQUIRE(fleet.tell_alone({missed, fleet.line(model::local_ids_of(2) + 1, kT0 + 2h)}, 2).status);
    CHECK(fleet.job("a").cursor == cursor);
    CHECK(fleet.rows_at(kT0 + 1h).empty());
    CHECK(fleet.facts_of(model::local_ids_of(2) + 1).find("duplicate") != std::string::npos);
    CHECK_FALSE(fleet.settle().empty());
  }

  TEST_CASE("what a host started alone too early has its row, and its slot comes yet") {
    Alone fleet;
    fleet.sleep(1h + 1s);
    const WallTime now = fleet.situation.now;
    model::LocalRun missed = fleet.line(0, kT0 + 2h);
    missed.reason = Reason::kNoMajority;

    REQUIRE(fleet
                .tell_alone(
                    {fleet.line(kLocalId, kT0 + 1h), missed, fleet.line(kLocalId + 1, kT0 + 3h)})
                .status);

    CHECK(fleet.rows_at(kT0 + 2h).empty());
    CHECK(fleet.rows_at(kT0 + 3h) == std::vector<std::string>{"local ok"});
    CHECK(fleet.run(kLocalId + 1).created_at <= now);
    CHECK(fleet.facts_of(kLocalId + 1).find("ahead, the slot comes yet") != std::string::npos);
    CHECK(fleet.job("a").cursor == kT0 + 1h);
    fleet.sleep(1h);
    CHECK_FALSE(fleet.settle().empty());
  }

  TEST_CASE("what is not said is given up when somebody cannot wait, and said later all the same") {
    Alone fleet;
    fleet.situation.nodes.at(2).has_local_runs = true;
    fleet.sleep(2h + 1s);
    fleet.situation.local_wait_is_over = true;
    CHECK(fleet.settle().empty());

    fleet.situation.local_is_given_up = true;
    fleet.sleep(1s);
    fleet.settle();

    CHECK(fleet.rows_at(kT0 + 1h) ==
          std::vector<std::string>{"schedule unknown(host_unreachable)"});
    CHECK(fleet.rows_at(kT0 + 2h).size() == 1);
    CHECK(fleet.job("a").cursor == kT0 + 2h);
    REQUIRE(fleet.tell_alone({fleet.line(kLocalId, kT0 + 1h)}).status);
    CHECK(fleet.rows_at(kT0 + 1h).size() == 2);
    CHECK(fleet.facts_of(kLocalId).find("possibly duplicate") != std::string::npos);
  }

  TEST_CASE("each host has run ids of its own, which a floating-point number can hold") {
    constexpr std::int64_t kLast = model::kLocalNodesMax - 1;
    for (const std::int64_t node : {std::int64_t{1}, std::int64_t{1} << 21, kLast}) {
      CAPTURE(node);
      CHECK(model::is_local_id_of(model::local_ids_of(node) + 1, node));
      CHECK(model::is_local_id_of(model::local_ids_of(node + 1) - 1, node));
      CHECK_FALSE(model::is_local_id_of(model::local_ids_of(node), node));
      CHECK_FALSE(model::is_local_id_of(model::local_ids_of(node + 1), node));
      CHECK_FALSE(model::is_local_id_of(model::local_ids_of(node + 1) + 1, node));
    }
    CHECK(model::local_ids_of(1) > model::kLocalIds);
    CHECK(model::local_ids_of(kLast + 1) <= 1LL << 53);
    CHECK_FALSE(model::is_local_id_of(model::local_ids_of(kLast + 1) + 1, kLast + 1));
  }

  TEST_CASE("a local run that did not start leaves the waiting row of its slot alone") {
    Alone fleet;
    fleet.hush(3);
    fleet.sleep(1h);
    fleet.settle();
    const std::int64_t queued = fleet.last_run().run_id;
    model::LocalRun refused = fleet.line(kLocalId, kT0 + 1h, ReportKind::kUnstarted);
    refused.report.reason = Reason::kHostCrash;

    REQUIRE(fleet.tell_alone({refused}).status);

    CHECK(fleet.rows_at(kT0 + 1h) == std::vector<std::string>{"schedule queued(host_down)"});
    CHECK(fleet.state.find_live_run(queued) != nullptr);
    CHECK(fleet.orders_of<EndCommitted>().size() == 1);
    CHECK(fleet.state.last_local_run(3) == kLocalId);
  }

  TEST_CASE("a host that is alone sees what is due now, not what was due before") {
    Alone fleet;
    const Job& job = fleet.job("a");
    // An hour of misfires is let go by; late is up to 30 s.
    const LocalLook look = fleet.state.look_alone(job, kT0, kT0 + 5h + 20s);
    CHECK(look.due == std::vector<WallTime>{kT0 + 5h});
    CHECK(look.seen_to == kT0 + 5h);
    CHECK(look.next == kT0 + 6h);

    CHECK(fleet.state.look_alone(job, kT0, kT0 + 5h + 31s).due.empty());
    CHECK(fleet.state.look_alone(job, kT0 + 5h, kT0 + 5h + 20s).due.empty());
    const SlotGap gap = fleet.state.slots_between(job, kT0 + 1h, kT0 + 4h);
    CHECK(gap.slots == std::vector<WallTime>{kT0 + 2h, kT0 + 3h});
    CHECK(gap.earlier == 0);
    CHECK(fleet.state.slots_between(job, kT0, kT0 + 24h * 10).earlier == 139);
    const SlotGap long_gap = fleet.state.slots_between(job, kT0, kT0 + 24h * 5000);
    CHECK(long_gap.earlier + static_cast<std::int64_t>(long_gap.slots.size()) == 24 * 5000 - 1);
    CHECK(long_gap.slots.back() == kT0 + 24h * 5000 - 1h);
  }

  TEST_CASE("what only a removed host may repeat is lost once all members know that") {
    for (const std::int32_t level : {model::kStrandLevel - 1, model::kStrandLevel}) {
      CAPTURE(level);
      Alone fleet;
      fleet.introduce(2, level);
      model::JobSpec job = World::spec("all", "30 * * * *");
      job.target = "all";
      job.retry_max = 1;
      fleet.put(job);
      fleet.sleep(30min + 1s);
      fleet.settle();
      std::int64_t of_third = 0;
      for (const auto& [id, row] : fleet.rows.runs) {
        if (row.node_id == 3) of_third = id;
      }
      REQUIRE(of_third != 0);
      fleet.tell(of_third, ReportKind::kStarted);
      fleet.tell(of_third, ReportKind::kEnded, RunState::kFailed);
      REQUIRE(fleet.run(of_third).state == RunState::kQueued);

      fleet.apply(model::RemoveNode{.node_id = 3});

      const bool is_lost = fleet.run(of_third).state == RunState::kLost;
      CHECK(is_lost == (level >= model::kStrandLevel));
      fleet.introduce(2, model::kStrandLevel);
      CHECK(fleet.run(of_third).state == RunState::kLost);
    }
  }

  TEST_CASE("no_quorum_max is a day, or as it is set") {
    Alone fleet;
    CHECK(fleet.state.no_quorum_max() == Millis(24h));
    CHECK_FALSE(fleet.apply(model::PutSetting{"no_quorum_max", "soon"}).status);
    REQUIRE(fleet.apply(model::PutSetting{"no_quorum_max", "90m"}).status);
    CHECK(fleet.state.no_quorum_max() == Millis(90min));
  }
}

}  // namespace distcron::planner

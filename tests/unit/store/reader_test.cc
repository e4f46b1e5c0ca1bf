// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "model/local_commands.h"
#include "store_fixture.h"
#include "support/temp_dir.h"

namespace distcron::store {
namespace {

namespace fs = std::filesystem;
using model::Reason;
using model::RunState;

std::vector<std::int64_t> ids(const std::vector<model::Run>& runs) {
  std::vector<std::int64_t> found;
  for (const model::Run& run : runs)
    found.push_back(run.run_id);
  return found;
}

using Ids = std::vector<std::int64_t>;

/// Ten runs: odd ids of web-1, even ones of web-2; run 4 failed on host-b, run 7 was missed, run 9
/// needed two attempts, run 10 waits for its second.
planner::Changes history() {
  planner::Changes made = changes(1);
  made.jobs = {job(1, "web-1"), job(2, "web-2"), job(3, "idle")};
  for (std::int64_t i = 1; i <= 10; ++i) {
    made.runs.push_back(
        run(i, made.jobs[static_cast<std::size_t>(1 - i % 2)], at(60 * i), RunState::kOk));
  }
  made.runs[3].state = RunState::kFailed;
  made.runs[3].node = "host-b";
  made.runs[6].state = RunState::kMissed;
  made.runs[6].reason = Reason::kTooLate;
  made.runs[6].attempt = 0;
  for (const std::size_t i : {8U, 9U}) {
    model::Run first = made.runs[i];
    first.state = RunState::kTimeout;
    made.ended_attempts.push_back(first);
  }
  made.runs[8].attempt = 2;
  made.runs[9].state = RunState::kQueued;
  made.runs[9].reason = Reason::kRetry;
  return made;
}

RunFilter with(const std::function<void(RunFilter&)>& set) {
  RunFilter filter;
  set(filter);
  return filter;
}

TEST_SUITE("store") {
  TEST_CASE("history is filtered by each member of RunFilter") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    CHECK(apply(*store, history()).status.has_value());

    struct Row {
      const char* what;
      RunFilter filter;
      Ids expected;
    };

    const std::vector<Row> rows = {
        {"everything", {}, {10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
        {"a name", with([](RunFilter& f) { f.jobs = {"web-2"}; }), {10, 8, 6, 4, 2}},
        {"a glob",
         with([](RunFilter& f) { f.jobs = {"web-[12]"}; }),
         {10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
        {"two names",
         with([](RunFilter& f) {
           f.jobs = {"idle", "web-1"};
         }),
         {9, 7, 5, 3, 1}},
        {"an unknown name", with([](RunFilter& f) { f.jobs = {"nobody"}; }), {}},
        {"a job without runs", with([](RunFilter& f) { f.jobs = {"idle"}; }), {}},
        {"since", with([](RunFilter& f) { f.since = at(480); }), {10, 9, 8}},
        {"until", with([](RunFilter& f) { f.until = at(120); }), {2, 1}},
        {"states",
         with([](RunFilter& f) {
           f.states = {RunState::kFailed, RunState::kMissed};
         }),
         {7, 4}},
        {"a node", with([](RunFilter& f) { f.node = "host-b"; }), {4}},
        {"a reason", with([](RunFilter& f) { f.reason = Reason::kTooLate; }), {7}},
        {"a page",
         with([](RunFilter& f) {
           f.before_run_id = 9;
           f.limit = 3;
         }),
         {8, 7, 6}},
        {"a page of a job",
         with([](RunFilter& f) {
           f.jobs = {"web-1"};
           f.before_run_id = 9;
           f.limit = 2;
         }),
         {7, 5}},
        {"attempts",
         with([](RunFilter& f) {
           f.all_attempts = true;
           f.limit = 4;
         }),
         {10, 9, 9, 8}},
        {"attempts of a job",
         with([](RunFilter& f) {
           f.jobs = {"web-1"};
           f.all_attempts = true;
         }),
         {9, 9, 7, 5, 3, 1}},
        {"attempts by state",
         with([](RunFilter& f) {
           f.states = {RunState::kTimeout};
           f.all_attempts = true;
         }),
         {10, 9}},
    };

    for (const Row& row : rows) {
      CAPTURE(row.what);
      const auto runs = ask(*store, [&](Reader& reader) { return reader.runs(row.filter); });
      CHECK(ids(runs) == row.expected);
    }
  }

  TEST_CASE("attempts are listed in order, the latest from the run itself") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    CHECK(apply(*store, history()).status.has_value());

    const auto two = ask(*store, [](Reader& reader) { return reader.attempts(9); });
    const auto waiting = ask(*store, [](Reader& reader) { return reader.attempts(10); });
    const auto none = ask(*store, [](Reader& reader) { return reader.attempts(7); });

    REQUIRE(two.size() == 2);
    CHECK(two[0].state == RunState::kTimeout);
    CHECK(two[1].state == RunState::kOk);
    CHECK(two[1].attempt == 2);
    REQUIRE(waiting.size() == 1);
    CHECK(waiting[0].state == RunState::kTimeout);
    CHECK(none.empty());
  }

  TEST_CASE("single runs are found by id, slot and place in the history") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    CHECK(apply(*store, history()).status.has_value());
    const std::uint64_t uid = job(1, "web-1").uid;

    const auto by_id = ask(*store, [](Reader& reader) { return reader.run(4); });
    const auto no_id = ask(*store, [](Reader& reader) { return reader.run(44); });
    const auto slot = ask(*store, [&](Reader& reader) { return reader.run_at(uid, at(180)); });
    const auto no_slot = ask(*store, [&](Reader& reader) { return reader.run_at(uid, at(181)); });
    const auto newest = ask(*store, [](Reader& reader) { return reader.newest_run("web-1", 0); });
    const auto third = ask(*store, [](Reader& reader) { return reader.newest_run("web-1", 2); });
    const auto too_far = ask(*store, [](Reader& reader) { return reader.newest_run("web-1", 9); });

    REQUIRE(by_id.has_value());
    CHECK(by_id->node == "host-b");
    CHECK_FALSE(no_id.has_value());
    REQUIRE(slot.has_value());
    CHECK(slot->run_id == 3);
    CHECK_FALSE(no_slot.has_value());
    REQUIRE(newest.has_value());
    CHECK(newest->run_id == 9);
    REQUIRE(third.has_value());
    CHECK(third->run_id == 5);
    CHECK_FALSE(too_far.has_value());
  }

  TEST_CASE("the history of a removed job stays under its name, or goes with it") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    CHECK(apply(*store, history()).status.has_value());
    planner::Changes removed = changes(2);
    removed.removed_jobs = {job(1, "web-1").uid, job(2, "web-2").uid};
    removed.removed_history = {job(2, "web-2").uid};
    CHECK(apply(*store, std::move(removed)).status.has_value());

    const auto kept = ask(*store, [](Reader& reader) {
      return reader.runs(with([](RunFilter& f) { f.jobs = {"web-1"}; }));
    });
    const auto gone = ask(*store, [](Reader& reader) {
      return reader.runs(with([](RunFilter& f) { f.jobs = {"web-2"}; }));
    });

    CHECK(kept.size() == 5);
    CHECK(ids(gone) == Ids{10});  // It waits for its retry: alive.
  }

  TEST_CASE("final runs expire by age and by number") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    CHECK(apply(*store, history()).status.has_value());

    const auto by_age =
        ask(*store, [](Reader& reader) { return reader.expired_runs(at(200), 100, 100); });
    const auto by_number =
        ask(*store, [](Reader& reader) { return reader.expired_runs(at(0), 3, 100); });
    const auto few = ask(*store, [](Reader& reader) { return reader.expired_runs(at(900), 3, 2); });

    CHECK(by_age == Ids{1, 2, 3});
    CHECK(by_number == Ids{1, 2, 3, 4});
    CHECK(few.size() == 2);

    planner::Changes pruned = changes(2);
    pruned.removed_runs = by_number;
    CHECK(apply(*store, std::move(pruned)).status.has_value());
    CHECK(ask(*store, [](Reader& reader) { return reader.runs({}); }).size() == 6);
  }

  TEST_CASE("local runs stand in the history by their time, whatever their ids say") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    CHECK(apply(*store, history()).status.has_value());
    constexpr std::int64_t kOfTwo = model::local_ids_of(2);
    constexpr std::int64_t kOfThree = model::local_ids_of(3);
    planner::Changes made = changes(2);
    const planner::Job web = job(1, "web-1");
    // Two hosts started the same slot, one of them another one later.
    for (const auto& [id, second] :
         {std::pair(kOfTwo + 1, 330), std::pair(kOfThree + 1, 330), std::pair(kOfTwo + 2, 570)}) {
      made.runs.push_back(run(id, web, at(second), RunState::kOk));
      made.runs.back().origin = model::local_origin(id);
    }
    CHECK(apply(*store, std::move(made)).status.has_value());
    const Ids all{10, kOfTwo + 2, 9, 8, 7, 6, kOfThree + 1, kOfTwo + 1, 5, 4, 3, 2, 1};

    CHECK(ids(ask(*store, [](Reader& reader) { return reader.runs({}); })) == all);
    Ids paged;
    while (paged.size() < all.size()) {
      const auto page = ask(*store, [&paged](Reader& reader) {
        return reader.runs(with([&paged](RunFilter& f) {
          f.limit = 2;
          f.before_run_id = paged.empty() ? 0 : paged.back();
        }));
      });
      REQUIRE_FALSE(page.empty());
      for (const model::Run& each : page)
        paged.push_back(each.run_id);
    }
    CHECK(paged == all);
    const auto attempts = ask(*store, [](Reader& reader) {
      return reader.runs(with([](RunFilter& f) {
        f.jobs = {"web-1"};
        f.all_attempts = true;
        f.limit = 4;
      }));
    });
    CHECK(ids(attempts) == Ids{kOfTwo + 2, 9, 9, 7});
    const auto since = ask(*store, [](Reader& reader) {
      return reader.runs(with([](RunFilter& f) { f.since = at(550); }));
    });
    CHECK(ids(since) == Ids{10, kOfTwo + 2});
    const auto second = ask(*store, [](Reader& reader) { return reader.newest_run("web-1", 1); });
    REQUIRE(second.has_value());
    CHECK(second->run_id == 9);
    const auto at_slot =
        ask(*store, [&](Reader& reader) { return reader.run_at(web.uid, at(570)); });
    REQUIRE(at_slot.has_value());
    CHECK(at_slot->run_id == kOfTwo + 2);
    CHECK(ask(*store, [](Reader& reader) { return reader.expired_runs(at(400), 100, 100); }) ==
          Ids{1, 2, 3, 4, 5, 6, kOfTwo + 1, kOfThree + 1});
    CHECK(ask(*store, [](Reader& reader) { return reader.expired_runs(at(0), 5, 100); }) ==
          Ids{1, 3, 5});
  }

  TEST_CASE("events come newest first and replies by request id") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    planner::Changes made = changes(1);
    for (int i = 1; i <= 3; ++i) {
      made.events.push_back({at(i), "job.updated", "admin", "job", std::to_string(i), "r"});
    }
    made.request_id = "req-7";
    made.request_reply = std::string("a\0b", 3);
    CHECK(apply(*store, std::move(made)).status.has_value());

    const auto all = ask(*store, [](Reader& reader) { return reader.events({}, 100); });
    const auto late = ask(*store, [](Reader& reader) { return reader.events(at(3), 100); });
    const auto reply = ask(*store, [](Reader& reader) { return reader.request_reply("req-7"); });
    const auto none = ask(*store, [](Reader& reader) { return reader.request_reply("req-8"); });

    REQUIRE(all.size() == 3);
    CHECK(all[0].text == "3");
    CHECK(late.size() == 1);
    REQUIRE(reply.has_value());
    CHECK(*reply == std::string("a\0b", 3));
    CHECK_FALSE(none.has_value());
  }

  TEST_CASE("a file is read without an agent, beside one, and from where nothing can be written") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    CHECK(write(*store, {{entry(1)}, {}, {}, 0}).status.has_value());
    CHECK(apply(*store, history()).status.has_value());

    auto beside = Reader::open_file(temp.file("db/state.db"));
    REQUIRE(beside.has_value());
    CHECK((*beside)->runs({}).value().size() == 10);
    CHECK((*beside)->jobs().value().size() == 3);
    beside->reset();
    store.reset();
    fs::create_directory(temp.file("backup 100%"));
    fs::copy(temp.file("db/state.db"), temp.file("backup 100%/state.db"));
    auto alone = Reader::open_file(temp.file("backup 100%/state.db"));

    REQUIRE(alone.has_value());
    CHECK((*alone)->newest_run("web-1", 0).value().has_value());
  }

  TEST_CASE("what is no state.db is refused with its name") {
    const test::TempDir temp;
    open_store(temp.file("db")).reset();
    sqlite(temp.file("other.db"), "CREATE TABLE t(a); INSERT INTO t VALUES(1)");

    CHECK(Reader::open_file(temp.file("none")).error().code == ErrorCode::kNotFound);
    CHECK(Reader::open_file(temp.file("db/raft.db")).error().code == ErrorCode::kCorrupt);
    CHECK(Reader::open_file(temp.file("other.db")).error().message.find("other.db") !=
          std::string::npos);
  }
}

}  // namespace
}  // namespace distcron::store

// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <sstream>

#include "store/run_row.h"
#include "store/text_lines.h"
#include "store_fixture.h"
#include "support/temp_dir.h"

namespace distcron::store {
namespace {

using model::RunState;

bool equal(const planner::Job& a, const planner::Job& b) {
  return a.id == b.id && a.uid == b.uid && a.version == b.version && *a.spec == *b.spec &&
         a.cursor == b.cursor && a.created_at == b.created_at && a.updated_at == b.updated_at &&
         a.updated_by == b.updated_by && a.disabled_until == b.disabled_until &&
         a.last_started_at == b.last_started_at && a.last_ended_at == b.last_ended_at &&
         a.last_state == b.last_state && a.last_run_id == b.last_run_id &&
         a.failures == b.failures && a.source_text == b.source_text;
}

/// A run in which every field has a value of its own.
model::Run full_run() {
  model::Run r = run(5, job(1, "a"), at(10));
  r.job_version = 4;
  r.origin = "req-1";
  r.shard = 3;
  r.trigger = model::Trigger::kBackfill;
  r.reason = model::Reason::kRetry;
  r.detail = "detail";
  r.attempt = 2;
  r.node_id = 9;
  r.incarnation = 1LL << 40;
  r.fence_index = 77;
  r.not_before = at(11);
  r.dispatched_at = at(12);
  r.started_at = at(13);
  r.ended_at = at(14);
  r.exit_code = 0;
  r.signal = 9;
  r.pid = 4321;
  r.output_bytes = 1LL << 33;
  r.output_truncated = true;
  r.tail = std::string("a\0b\n\xff", 5);
  r.cpu_user_us = 15;
  r.cpu_sys_us = 16;
  r.maxrss_kb = 17;
  r.kill_by = "root";
  r.param = "";
  r.extra_env = {{"A", "x=1\ny\\t"}, {"B", ""}};
  r.extra_argv = {"", "two words", "tab\there"};
  r.force = true;
  r.facts = {{"calendar", true, "no calendar"}, {"overlap", false, "run 4\nis\\n alive"}};
  r.starts = 2;
  r.first_started_at = at(1);
  r.shards = 4;
  r.possible_overlap = true;
  return r;
}

model::AccessKey key(const std::string& name, model::Role role) {
  model::AccessKey key;
  key.name = name;
  key.public_key = "key of " + name;
  key.role = role;
  return key;
}

planner::Node node(std::int64_t id, const std::string& name) {
  planner::Node node;
  node.id = id;
  node.name = name;
  node.boot_id = "boot";
  node.address = "tcp://a";
  node.version = "0.1.0";
  node.labels = {{"zone", "a"}};
  return node;
}

TEST_SUITE("store") {
  TEST_CASE("the columns of a run are its fields, in their order") {
    std::string keys;
    model::Run run;
    visit_fields(run, [&](const model::Field& field, auto& /*value*/) {
      keys += (keys.empty() ? "" : ", ") + std::string(field.key);
    });

    CHECK(keys == DC_RUN_COLUMNS);
  }

  TEST_CASE("lists, maps and facts come back from their lines") {
    const model::Run run = full_run();
    model::TextMap env;
    model::TextList argv;
    std::vector<model::Fact> facts;

    parse_lines(format_lines(run.extra_env), env);
    parse_lines(format_lines(run.extra_argv), argv);
    parse_lines(format_lines(run.facts), facts);

    CHECK(env == run.extra_env);
    CHECK(argv == run.extra_argv);
    CHECK(facts == run.facts);
    CHECK(format_lines(run.extra_argv) == "\ntwo words\ntab\\there\n");
  }

  TEST_CASE("a reopened store loads what was applied") {
    const test::TempDir temp;
    planner::Job kept = job(1, "kept");
    kept.disabled_until = at(500);
    kept.last_started_at = at(1);
    kept.last_ended_at = at(2);
    kept.last_state = RunState::kFailed;
    kept.last_run_id = 3;
    kept.failures = 2;
    const planner::Job moved = job(2, "moved");
    const model::Run live = full_run();
    {
      auto store = open_started(temp.file("db"));
      planner::Changes made = changes(1);
      made.jobs = {kept, moved, job(3, "removed")};
      made.runs = {live, run(6, kept, at(20), RunState::kOk)};
      made.keys = {key("ops", model::Role::kOperator), key("gone", model::Role::kAdmin)};
      made.keys[0].run_as = {"www", "db"};
      made.keys[0].jobs = "web-*";
      made.nodes.push_back(node(1, "host-a"));
      made.nodes[0].mesh_keys = {"old", "new"};
      made.nodes[0].state = model::NodeState::kDraining;
      made.tokens = {{"t1", "hash", model::Role::kAdmin, at(60), 3, "admin"},
                     {"t2", "hash", {}, at(60), 1, "admin"}};
      made.keys[0].host = "host-a";
      made.settings = {{"k", "v"}, {"gone", "v"}};
      made.cluster = planner::Cluster{"c", "0123", 1LL << 20, "Europe/Berlin"};
      made.request_id = "r1";
      made.request_at = at(5);
      made.next_run_id = 7;
      made.next_job_id = 4;
      CHECK(write(*store, {{entry(1), entry(2)}, {}, {}, 0}).status.has_value());
      CHECK(apply(*store, std::move(made)).status.has_value());
      planner::Changes later = changes(2);
      later.removed_jobs = {job(3, "removed").uid};
      later.cursors.push_back({moved.uid, at(60)});
      later.removed_keys = {"gone"};
      later.removed_tokens = {"t2"};
      later.removed_settings = {"gone"};
      CHECK(apply(*store, std::move(later)).index == 2);
    }

    const Loaded loaded = load(*open_store(temp.file("db")));

    REQUIRE(loaded.jobs.size() == 2);
    CHECK(equal(loaded.jobs[0], kept));
    planner::Job expected = moved;
    expected.cursor = at(60);
    CHECK(equal(loaded.jobs[1], expected));
    REQUIRE(loaded.live_runs.size() == 1);
    CHECK(loaded.live_runs[0] == live);
    REQUIRE(loaded.keys.size() == 1);
    CHECK(loaded.keys[0].run_as == model::TextList{"www", "db"});
    CHECK(loaded.keys[0].jobs == "web-*");
    REQUIRE(loaded.nodes.size() == 1);
    planner::Node host = node(1, "host-a");
    host.mesh_keys = {"old", "new"};
    host.state = model::NodeState::kDraining;
    CHECK(loaded.nodes[0] == host);
    REQUIRE(loaded.tokens.size() == 1);
    CHECK(loaded.tokens[0] ==
          planner::JoinToken{"t1", "hash", model::Role::kAdmin, at(60), 3, "admin"});
    CHECK(loaded.keys[0].host == "host-a");
    CHECK(loaded.settings.size() == 1);
    CHECK(loaded.requests == std::vector{std::pair(std::string("r1"), at(5))});
    REQUIRE(loaded.cluster.has_value());
    CHECK(loaded.cluster->incarnation == 1LL << 20);
    CHECK(loaded.next_run_id == 7);
    CHECK(loaded.next_job_id == 4);
    CHECK(loaded.applied_index == 2);
    CHECK(loaded.unapplied().empty());
  }

  TEST_CASE("a job's spec is stored again when it changes, and only its state otherwise") {
    const test::TempDir temp;
    planner::Job changed = job(1, "a");
    {
      auto store = open_started(temp.file("db"));
      planner::Changes made = changes(1);
      made.jobs = {changed};
      made.new_versions = {changed.uid};
      made.events.push_back({at(0), "job.created", "admin", "a", "first", "r1"});
      CHECK(write(*store, {{entry(1), entry(2), entry(3)}, {}, {}, 0}).status.has_value());
      CHECK(apply(*store, std::move(made)).status.has_value());
      changed.failures = 1;
      planner::Changes state = changes(2);
      state.jobs = {changed};
      CHECK(apply(*store, std::move(state)).status.has_value());
      model::JobSpec spec = *changed.spec;
      spec.enabled = false;
      changed.spec = std::make_shared<const model::JobSpec>(spec);
      planner::Changes disabled = changes(3);
      disabled.jobs = {changed};
      CHECK(apply(*store, std::move(disabled)).status.has_value());
      const auto versions =
          ask(*store, [&](Reader& reader) { return reader.job_versions(changed.uid); });
      REQUIRE(versions.size() == 1);
      CHECK(versions[0].note == "first");
      CHECK(versions[0].by == "admin");
      CHECK(versions[0].spec.enabled);
    }

    const Loaded loaded = load(*open_store(temp.file("db")));

    REQUIRE(loaded.jobs.size() == 1);
    CHECK(equal(loaded.jobs[0], changed));
  }

  TEST_CASE("a query sees what was posted before it") {
    const test::TempDir temp;
    auto store = open_store(temp.file("db"));
    const planner::Job a = job(1, "a");
    std::vector<std::size_t> seen;
    for (std::int64_t i = 1; i <= 3; ++i) {
      planner::Changes made = changes(i);
      made.runs = {run(i, a, at(i))};
      store->post(std::move(made));
      store->query([&seen](Reader& reader) -> std::function<void()> {
        const auto runs = reader.runs({});
        const std::size_t count = runs ? runs->size() : 99;
        return [&seen, count] { seen.push_back(count); };
      });
    }

    store->start();
    for (Completion& completion : take(*store, 6)) {
      if (auto* query = std::get_if<QueryDone>(&completion)) query->deliver();
    }

    CHECK(seen == std::vector<std::size_t>{1, 2, 3});
  }

  TEST_CASE("a damaged page of state.db is found and the file is named") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      planner::Changes made = changes(1);
      for (int i = 1; i <= 500; ++i)
        made.jobs.push_back(job(i, "job-" + std::to_string(i)));
      CHECK(write(*store, {{entry(1)}, {}, {}, 0}).status.has_value());
      CHECK(apply(*store, std::move(made)).status.has_value());
    }
    const std::string file = temp.file("db/state.db");
    sqlite(file, "PRAGMA wal_checkpoint(TRUNCATE)");
    const std::string root = sqlite(file, "SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'");
    {
      std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
      out.seekp((std::stoi(root) - 1) * 4096);
      out << std::string(4096, '\x55');
    }

    const auto store = Store::open(temp.file("db"));

    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().code == ErrorCode::kCorrupt);
    CHECK(store.error().message.find(file) != std::string::npos);
    CHECK(store.error().hint.find("restore a backup") != std::string::npos);
  }

  TEST_CASE("a damaged spec is found and the job is named") {
    const test::TempDir temp;
    {
      auto store = open_started(temp.file("db"));
      planner::Changes made = changes(1);
      made.jobs = {job(1, "broken")};
      CHECK(write(*store, {{entry(1)}, {}, {}, 0}).status.has_value());
      CHECK(apply(*store, std::move(made)).status.has_value());
    }
    sqlite(temp.file("db/state.db"), "UPDATE jobs SET spec = x'c1c1'");

    const auto loaded = open_store(temp.file("db"))->load();

    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().code == ErrorCode::kCorrupt);
    CHECK(loaded.error().message.find("job broken") != std::string::npos);
    CHECK(loaded.error().message.find("state.db") != std::string::npos);
  }

  TEST_CASE("people can read the views while the store is open") {
    const test::TempDir temp;
    auto store = open_started(temp.file("db"));
    planner::Changes made = changes(1);
    planner::Job failing = job(1, "failing");
    failing.failures = 3;
    failing.last_run_id = 1;
    failing.last_state = RunState::kFailed;
    model::Run failed = run(1, failing, wall_from_seconds(1'800'000'000), RunState::kFailed);
    failed.exit_code = 7;
    made.jobs = {failing, job(2, "well")};
    made.runs = {failed};
    CHECK(apply(*store, std::move(made)).status.has_value());
    const std::string file = temp.file("db/state.db");

    CHECK(sqlite(file, "SELECT name, schedule, last_state FROM v_jobs ORDER BY name") ==
          "failing|*/5 * * * *|failed\nwell|*/5 * * * *|\n");
    CHECK(sqlite(file, "SELECT job, scheduled_at, state, exit_code FROM v_runs") ==
          "failing|2027-01-15T08:00:00.000Z|failed|7\n");
    CHECK(sqlite(file, "SELECT job, failures, exit_code FROM v_failing") == "failing|3|7\n");
    CHECK(sqlite(file, "SELECT run_id, attempt FROM v_attempts") == "1|1\n");
    CHECK(sqlite(file, "PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode") ==
          "1145271156\n2\nwal\n");
    CHECK(sqlite(file, "PRAGMA integrity_check") == "ok\n");
  }
}

}  // namespace
}  // namespace distcron::store

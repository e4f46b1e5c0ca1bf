// SPDX-License-Identifier: Apache-2.0
// Plan, message, journal and end record: what is encoded is decoded, and nothing else is.
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "base/rng.h"
#include "process/end_record.h"
#include "process/exec_journal.h"
#include "process/exec_message.h"
#include "process/plan_view.h"
#include "process/spawn_plan.h"
#include "process/stub.h"
#include "support/seed.h"

namespace distcron::process {
namespace {

SpawnPlan full_plan() {
  SpawnPlan plan;
  plan.run_id = 77;
  plan.attempt = 3;
  plan.argv = {"prog", "", "a b"};
  plan.env = {"A=1", "B="};
  plan.script = std::string("x\0y", 3);
  plan.user = "u";
  plan.group = "g";
  plan.cwd = "/c";
  plan.stdin_path = "/i";
  plan.stdin_data = std::string("\0\n", 2);
  plan.limits = {{7, 100, -1}};
  plan.timeout_ms = 5;
  plan.kill_grace_ms = 6;
  plan.start_by_boottime_us = 7;
  plan.output_max_bytes = 8;
  plan.split_output = true;
  plan.orphans = Orphans::kLeave;
  return plan;
}

std::string encoded(const SpawnPlan& plan) {
  std::string bytes;
  std::string why;
  REQUIRE_MESSAGE(encode_plan(plan, bytes, why), why);
  return bytes;
}

std::span<const std::byte> view_of(const std::string& bytes) {
  return std::as_bytes(std::span(bytes));
}

std::string why_not(const SpawnPlan& plan) {
  std::string bytes;
  std::string why;
  CHECK_FALSE(encode_plan(plan, bytes, why));
  return why;
}

}  // namespace

TEST_SUITE("process") {
  TEST_CASE("a plan is decoded as it was encoded") {
    const std::string bytes = encoded(full_plan());
    PlanView view;

    REQUIRE(decode_plan(view_of(bytes), view) == nullptr);

    CHECK(view.header.run_id == 77);
    CHECK(view.header.attempt == 3);
    CHECK(view.user == "u");
    CHECK(view.group == "g");
    CHECK(view.cwd == "/c");
    CHECK(view.stdin_path == "/i");
    CHECK(view.script == std::string_view("x\0y", 3));
    CHECK(view.stdin_data == std::string_view("\0\n", 2));
    CHECK(view.limit(0).hard == -1);
    CHECK(view.has(kPlanSplitOutput));
    CHECK(view.has(kPlanLeaveOrphans));
    CHECK(view.has(kPlanNoNewPrivs));
    CHECK_FALSE(view.has(kPlanCompatCron));
    char* argv[4] = {};
    view.argv.fill(argv);
    CHECK(std::string(argv[0]) == "prog");
    CHECK(std::string(argv[1]).empty());
    CHECK(std::string(argv[2]) == "a b");
    CHECK(argv[3] == nullptr);
  }

  TEST_CASE("a plan that cannot be run is refused with a reason") {
    SpawnPlan plan = full_plan();
    plan.argv.clear();
    CHECK(why_not(plan) == "argument count is out of range");
    plan = full_plan();
    plan.env = {"novalue"};
    CHECK(why_not(plan) == "environment is not a list of NAME=value");
    plan = full_plan();
    plan.cwd = std::string("/a\0b", 4);
    CHECK(why_not(plan) == "a text contains a NUL byte");
    plan = full_plan();
    plan.stdin_data.assign(kPlanBytesMax - 100, 'x');
    CHECK(why_not(plan) == "plan is too large");
    plan.stdin_data.assign(kPlanBytesMax + 1, 'x');
    CHECK(why_not(plan).find("4 MiB") != std::string::npos);
    plan = full_plan();
    plan.run_id = 0;
    CHECK(why_not(plan) == "run id or attempt is not positive");
    plan = full_plan();
    plan.nice = 20;
    CHECK(why_not(plan) == "nice is out of range");
  }

  TEST_CASE("the policy sees user, group and command of a plan's first bytes") {
    SpawnPlan plan = full_plan();
    plan.script.clear();
    plan.stdin_data.assign(100'000, 'x');
    const std::string bytes = encoded(plan);
    PolicyView view;

    CHECK(decode_policy_view(view_of(bytes).first(kPlanPolicyBytes), bytes.size(), view) ==
          nullptr);
    CHECK(view.user == "u");
    CHECK(view.command == "prog");
    CHECK_FALSE(view.is_script);

    plan.argv[0].assign(kPlanPolicyBytes, 'p');
    const std::string late = encoded(plan);
    CHECK(std::string(decode_policy_view(view_of(late).first(kPlanPolicyBytes), late.size(),
                                         view)) == "argv[0] is too long");
  }

  TEST_CASE("a damaged plan is refused or decoded inside its bounds, never read beyond") {
    Rng rng(test::seed());
    const std::string good = encoded(full_plan());
    for (int round = 0; round < 50'000; ++round) {
      // An exact copy on the heap: a sanitizer sees a read beyond it.
      std::string bytes = good;
      for (std::uint64_t i = 0; i < 1 + rng.below(3); ++i) {
        bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
      }
      bytes.resize(bytes.size() - rng.below(3));
      PlanView view;
      if (decode_plan(view_of(bytes), view) == nullptr) {
        std::vector<char*> argv(view.argv.count + 1);
        view.argv.fill(argv.data());
        CHECK(argv.back() == nullptr);
      }
      PolicyView policy;
      (void)decode_policy_view(view_of(bytes), bytes.size(), policy);
    }
  }

  TEST_CASE("messages keep their fields, and a wrong one is refused") {
    Message message;
    message.type = MessageType::kRefused;
    message.key = {9, 2};
    message.code = 3;
    message.a = -1;
    message.text = "user\ntext";
    std::array<std::byte, kMessageBytesMax> bytes{};
    const std::size_t size = encode_message(message, bytes);
    Message back;

    REQUIRE(decode_message(std::span(bytes).first(size), back));
    CHECK(back.key == RunKey{9, 2});
    CHECK(back.text == "user\ntext");
    CHECK(back.a == -1);

    CHECK_FALSE(decode_message(std::span(bytes).first(size - 10), back));
    message.key = {0, 2};
    CHECK_FALSE(decode_message(std::span(bytes).first(encode_message(message, bytes)), back));
    message = {};
    message.type = MessageType::kKill;
    message.key = {1, 1};
    message.code = 65;
    CHECK_FALSE(decode_message(std::span(bytes).first(encode_message(message, bytes)), back));
    message.type = static_cast<MessageType>(99);
    CHECK_FALSE(decode_message(std::span(bytes).first(encode_message(message, bytes)), back));
  }

  TEST_CASE("a kill order fits into one signal value") {
    for (const std::int64_t grace : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{86'400'000}}) {
      for (const bool is_host_down : {false, true}) {
        const KillOrder order = unpack_kill(pack_kill({64, grace, is_host_down}));
        CHECK(order.signum == 64);
        CHECK(order.grace_ms == grace);
        CHECK(order.is_host_down == is_host_down);
      }
    }
  }

  TEST_CASE("an end record survives its bytes; one flipped bit does not") {
    EndRecord record;
    record.run_id = 5;
    record.attempt = 1;
    record.how = EndHow::kSetupFailed;
    record.step = Step::kExec;
    record.sys_errno = 2;
    record.timed_out = true;
    record.out = {100, 60};
    record.maxrss_kb = 7;
    EndRecordBytes bytes = encode_end_record(record);
    EndRecord back;

    REQUIRE(decode_end_record(bytes, back));
    CHECK(back.how == EndHow::kSetupFailed);
    CHECK(name_of(back.step) == "exec");
    CHECK(back.timed_out);
    CHECK(back.out.cut() == 40);
    CHECK(back.maxrss_kb == 7);
    for (std::size_t i = 0; i < 136; ++i) {
      bytes[i] ^= std::byte{4};
      CHECK_FALSE(decode_end_record(bytes, back));
      bytes[i] ^= std::byte{4};
    }
  }

  TEST_CASE("crc32 is the one of zlib") {
    CHECK(crc32(view_of("123456789")) == 0xcbf43926U);
  }

  TEST_CASE("a journal is replayed up to its torn end, and only in its own boot") {
    const std::string boot(kBootIdBytes, 'a');
    char dir[] = "/tmp/distcron-journal.XXXXXX";
    REQUIRE(mkdtemp(dir) != nullptr);
    const UniqueFd fd(open(dir, O_RDONLY | O_DIRECTORY));
    const std::string path = std::string(dir) + "/j";
    const auto record = [](std::int64_t run) {
      SpawnRecord r;
      r.key = {run, 1};
      r.stub_pid = 100;
      r.stub_starttime = 200;
      return r;
    };
    {
      ExecJournal journal;
      REQUIRE(journal.open(fd.get(), "j", boot).empty());
      REQUIRE(journal.add_spawned({record(1), record(2), record(3)}));
      journal.ack({2, 1});
      CHECK(journal.is_known({2, 1}));
      CHECK_FALSE(journal.is_known({2, 2}));
    }

    REQUIRE(truncate(path.c_str(),
                     static_cast<off_t>(kJournalHeaderBytes + 3 * kJournalEntryBytes + 10)) == 0);
    {
      ExecJournal torn;
      REQUIRE(torn.open(fd.get(), "j", boot).empty());
      CHECK(torn.state().open.size() == 3);
      CHECK(torn.state().open.at({3, 1}).stub_starttime == 200);
      torn.ack({1, 1});
    }
    {
      ExecJournal again;
      REQUIRE(again.open(fd.get(), "j", boot).empty());
      CHECK(again.state().open.size() == 2);
      CHECK(again.is_known({1, 1}));
    }
    ExecJournal other;
    REQUIRE(other.open(fd.get(), "j", std::string(kBootIdBytes, 'b')).empty());
    CHECK(other.state().open.empty());
    CHECK_FALSE(other.is_known({1, 1}));
    unlink(path.c_str());
    rmdir(dir);
  }
}

}  // namespace distcron::process

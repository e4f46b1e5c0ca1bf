// SPDX-License-Identifier: Apache-2.0
#include "wire/codec.h"

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "support/random_fill.h"
#include "support/seed.h"
#include "wire/operations.h"

namespace distcron::wire {

namespace {

using std::string_literals::operator""s;

template <class T>
T random_value(Rng& rng) {
  T value{};
  test::RandomFill(rng).fill(value);
  return value;
}

/// The bytes of a list that claims `count` members but holds none.
std::string bomb(unsigned type, std::uint32_t count) {
  std::string out{kWireVersion, static_cast<char>(type)};
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    out += static_cast<char>((count >> shift) & 0xffU);
  }
  return out;
}

}  // namespace

TEST_SUITE("wire") {
  TEST_CASE_TEMPLATE("a value comes back from its bytes as it was", T, model::Entry, model::JobSpec,
                     model::Run, model::HostReport, std::vector<model::Fact>, Request, Reply, Empty,
                     JobTargets, PutJobsRequest, ChangeItem, ChangeReply, RemoveRequest,
                     RenameRequest, EnableRequest, ListRequest, JobItem, JobList, ShowRequest,
                     JobDetail, ShowReply, NextRequest, NextItem, NextReply, VersionItem,
                     VersionsReply, RunRequest, RunRef, RerunRequest, KillRequest, HistoryRequest,
                     RunItem, RunList, WaitRequest, WaitReply, LogsRequest, LogsReply,
                     ExplainRequest, ExplainReply, NodeItem, SchedulerItem, StatusReply,
                     VersionReply, KeyRequest, NameRequest, KeyList, WhoamiReply, SettingRequest,
                     SettingItem, SettingList, EventsRequest, EventItem, EventList) {
    Rng rng(test::seed());
    for (int i = 0; i < 60; ++i) {
      const T value = random_value<T>(rng);
      const std::string bytes = encode(value);

      const Result<T> back = decode<T>(bytes);

      REQUIRE(back);
      CHECK(encode(*back) == bytes);
      if constexpr (std::is_same_v<T, model::JobSpec> || std::is_same_v<T, model::Run>) {
        CHECK(*back == value);
      }
    }
  }

  TEST_CASE_TEMPLATE("bytes that are cut anywhere are refused", T, model::Entry, model::JobSpec,
                     model::Run, model::HostReport, std::vector<model::Fact>, Request, Reply, Empty,
                     JobTargets, PutJobsRequest, ChangeItem, ChangeReply, RemoveRequest,
                     RenameRequest, EnableRequest, ListRequest, JobItem, JobList, ShowRequest,
                     JobDetail, ShowReply, NextRequest, NextItem, NextReply, VersionItem,
                     VersionsReply, RunRequest, RunRef, RerunRequest, KillRequest, HistoryRequest,
                     RunItem, RunList, WaitRequest, WaitReply, LogsRequest, LogsReply,
                     ExplainRequest, ExplainReply, NodeItem, SchedulerItem, StatusReply,
                     VersionReply, KeyRequest, NameRequest, KeyList, WhoamiReply, SettingRequest,
                     SettingItem, SettingList, EventsRequest, EventItem, EventList) {
    Rng rng(test::seed());
    const std::string bytes = encode(random_value<T>(rng));

    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK_FALSE(decode<T>(std::string_view(bytes).substr(0, size)));
    }
    CHECK_FALSE(decode<T>(bytes + '\xc0'));
  }

  TEST_CASE_TEMPLATE("flipped bits give a value or an error", T, model::Entry, model::JobSpec,
                     model::Run, model::HostReport, std::vector<model::Fact>, Request, Reply, Empty,
                     JobTargets, PutJobsRequest, ChangeItem, ChangeReply, RemoveRequest,
                     RenameRequest, EnableRequest, ListRequest, JobItem, JobList, ShowRequest,
                     JobDetail, ShowReply, NextRequest, NextItem, NextReply, VersionItem,
                     VersionsReply, RunRequest, RunRef, RerunRequest, KillRequest, HistoryRequest,
                     RunItem, RunList, WaitRequest, WaitReply, LogsRequest, LogsReply,
                     ExplainRequest, ExplainReply, NodeItem, SchedulerItem, StatusReply,
                     VersionReply, KeyRequest, NameRequest, KeyList, WhoamiReply, SettingRequest,
                     SettingItem, SettingList, EventsRequest, EventItem, EventList) {
    Rng rng(test::seed());
    const std::string bytes = encode(random_value<T>(rng));
    for (int i = 0; i < 2'000; ++i) {
      std::string spoilt = bytes;
      for (std::uint64_t flips = 1 + rng.below(3); flips > 0; --flips) {
        spoilt[rng.below(spoilt.size())] ^= static_cast<char>(1U << rng.below(8));
      }
      const Result<T> back = decode<T>(spoilt);
      if (back) {
        CHECK(decode<T>(encode(*back)));
      } else {
        CHECK(back.error().message.starts_with("cannot decode"));
      }
    }
  }

  TEST_CASE("the byte form is fixed: version, then a map without the defaults") {
    model::HostReport report;
    report.run_id = 7;
    report.outcome = model::RunState::kFailed;
    report.exit_code = 0;
    CHECK(encode(report) ==
          "\x01\x83\xa6run_id\x07\xa7outcome\x04\xa9"
          "exit_code\x00"s);

    model::JobSpec spec;
    CHECK(encode(spec) == "\x01\x80"s);
    spec.name = "a";
    spec.enabled = false;
    spec.timeout = Millis{90'000};
    spec.mail_to = "";
    CHECK(encode(spec) ==
          "\x01\x84\xa4name\xa1"
          "a\xa7"
          "enabled\xc2\xa7timeout\xce\x00\x01\x5f\x90\xa7mail.to\xa0"s);

    model::Entry entry;
    entry.command = model::RemoveKey{"x"};
    CHECK(encode(entry) ==
          "\x01\x81\xa7"
          "command\x92\x0b\x81\xa4name\xa1x"s);
  }

  TEST_CASE("a command keeps its number in the log") {
    CHECK(std::variant_size_v<model::Command> == 26);
    CHECK(model::Command(model::InitCluster{}).index() == 0);
    CHECK(model::Command(model::TriggerRun{}).index() == 6);
    CHECK(model::Command(model::Decide{}).index() == 7);
    CHECK(model::Command(model::PruneRuns{}).index() == 13);
    CHECK(model::Command(model::ReleaseRuns{}).index() == 24);
    CHECK(model::Command(model::LocalRuns{}).index() == 25);
  }

  TEST_CASE("members in another order and unknown ones are no obstacle") {
    const auto report = decode<model::HostReport>(
        "\x01\x84\xa3pid\x05\xa3new\x93\x01\x81\xa1k\xc0\x90\xa6run_id\x07\xa7outcome\x05"s);

    REQUIRE(report);
    CHECK(report->pid == 5);
    CHECK(report->run_id == 7);
    CHECK(report->outcome == model::RunState::kTimeout);
  }

  TEST_CASE("a value that does not fit is refused by the name of its member") {
    struct Row {
      std::string bytes;
      const char* message;
    };

    const Row rows[] = {
        {"", "cannot decode message: it is empty"},
        {"\x02\x80"s, "cannot decode message: unknown version"},
        {"\x01"s, "cannot decode: message is cut short"},
        {"\x01\xc1"s, "cannot decode: message is no msgpack"},
        {"\x01\x80\x80"s, "cannot decode: message has bytes after its end"},
        {"\x01\xd4\x01\x01"s, "cannot decode: message has an extension type"},
        {"\x01\x90"s, "cannot decode message: is not a map"},
        {"\x01\x81\x01\x01"s, "cannot decode message: is not a text"},
        {"\x01\x81\xa3pid\xa1x"s, "cannot decode message: pid: is not a 64-bit integer"},
        {"\x01\x81\xa3pid\xcf\xff\xff\xff\xff\xff\xff\xff\xff"s,
         "cannot decode message: pid: is not a 64-bit integer"},
        {"\x01\x81\xa7"
         "attempt\xcf\x00\x00\x00\x01\x00\x00\x00\x00"s,
         "cannot decode message: attempt: is not a 32-bit integer"},
        {"\x01\x81\xa7outcome\x0c"s,
         "cannot decode message: outcome: is not a value that this version knows"},
        {"\x01\x81\xa7outcome\xff"s,
         "cannot decode message: outcome: is not a value that this version knows"}};
    for (const Row& row : rows) {
      CAPTURE(row.message);
      const auto report = decode<model::HostReport>(row.bytes);
      REQUIRE_FALSE(report);
      CHECK(report.error().code == ErrorCode::kInvalid);
      CHECK(report.error().message == row.message);
    }

    const auto entry = decode<model::Entry>(
        "\x01\x81\xa7"
        "command\x92\x63\x80"s);
    REQUIRE_FALSE(entry);
    CHECK(entry.error().message ==
          "cannot decode message: command: is not a command that this version knows");

    const auto nested = decode<PutJobsRequest>("\x01\x81\xa4puts\x91\x81\xa4spec\x81\xa4name\x01"s);
    REQUIRE_FALSE(nested);
    CHECK(nested.error().message == "cannot decode message: puts.spec.name: is not a text");
  }

  TEST_CASE("a claimed size without bytes behind it costs nothing") {
    for (const unsigned type : {0xddU, 0xdfU}) {
      for (const std::uint32_t count : {1U, 4'097U, 200'001U, 0x7fffffffU, 0xffffffffU}) {
        CAPTURE(count);
        CHECK_FALSE(decode<std::vector<model::Fact>>(bomb(type, count)));
        CHECK_FALSE(decode<model::Run>(bomb(type, count)));
      }
    }
    CHECK_FALSE(decode<model::Run>("\x01\xdb\xff\xff\xff\xff"s));
    CHECK_FALSE(decode<model::Run>("\x01\xc6\xff\xff\xff\xff"s));
  }

  TEST_CASE("limits of depth, members, values and bytes are reached and kept") {
    const std::string unknown = "\x01\x81\xa1x"s;
    const auto nested = [&unknown](std::size_t depth) {
      return unknown + std::string(depth - 1, '\x91') + '\x01';
    };
    CHECK(decode<model::Run>(nested(kDepthMax)));
    CHECK_FALSE(decode<model::Run>(nested(kDepthMax + 1)));
    CHECK_FALSE(decode<model::Run>(nested(1'000'000)));

    std::string members = bomb(0xdd, kMembersMax).substr(1);
    CHECK(decode<model::Run>(unknown + members + std::string(kMembersMax, '\xc0')));
    members = bomb(0xdd, kMembersMax + 1).substr(1);
    CHECK_FALSE(decode<model::Run>(unknown + members + std::string(kMembersMax + 1, '\xc0')));

    std::string many = unknown + "\x96"s;
    for (int i = 0; i < 6; ++i) {
      many += bomb(0xdd, kMembersMax).substr(1) + std::string(kMembersMax, '\xc0');
    }
    const auto values = decode<model::Run>(many);
    REQUIRE_FALSE(values);
    CHECK(values.error().message == "cannot decode: message has too many values");

    Reply reply;
    reply.body = std::string(kMessageBytesMax - 20, 'x');
    CHECK(decode<Reply>(encode(reply)));
    reply.body = std::string(kMessageBytesMax, 'x');
    const auto large = decode<Reply>(encode(reply));
    REQUIRE_FALSE(large);
    CHECK(large.error().message == "cannot decode: message is longer than 4 MiB");
  }
}

}  // namespace distcron::wire

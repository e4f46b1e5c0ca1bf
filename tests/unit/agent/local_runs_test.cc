// SPDX-License-Identifier: Apache-2.0
#include "agent/local_runs.h"

#include <utility>

#include <doctest/doctest.h>

#include "consensus/message.h"
#include "model/command.h"
#include "wire/codec.h"

namespace distcron::agent {

namespace {

store::LogEntry logged(std::int64_t index, model::Command command) {
  model::Entry entry;
  entry.command = std::move(command);
  store::LogEntry out;
  out.index = index;
  out.kind = static_cast<std::uint8_t>(consensus::EntryKind::kCommand);
  out.bytes = wire::encode(entry);
  return out;
}

model::LocalRuns said(std::int64_t node_id, std::int64_t run_id) {
  model::LocalRuns out{node_id, {}};
  out.runs.emplace_back().run_id = run_id;
  return out;
}

}  // namespace

TEST_SUITE("agent") {
  TEST_CASE("what a host has said of its local runs is known from the log that is not applied") {
    store::Loaded loaded;
    loaded.applied_index = 3;
    loaded.entries = {logged(3, said(2, 21)), logged(4, said(2, 22)), logged(5, said(3, 31)),
                      logged(6, model::SetEnabled{}), logged(7, said(2, 23))};
    loaded.entries.emplace_back().index = 8;
    loaded.entries.back().bytes = "no command";

    const std::vector<model::LocalRun> lines = local_runs_of_log(loaded, 2);

    REQUIRE(lines.size() == 2);
    CHECK(lines[0].run_id == 22);
    CHECK(lines[1].run_id == 23);
  }
}

}  // namespace distcron::agent

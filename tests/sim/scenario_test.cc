// SPDX-License-Identifier: Apache-2.0
// Runs the scenarios: a script, `----`, and what is to come of it. DISTCRON_REWRITE=1 writes that
// part anew; read the difference before keeping it.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/script.h"
#include "sim/world.h"

namespace distcron::sim {
namespace {

constexpr std::string_view kRule = "----\n";

/// The events that a reader wants to see: who leads, which members, crashes, snapshots, acks of the
/// script's own commands; then the end.
std::string milestones(const Script& script) {
  std::string text;
  World world(script);
  world.trace().listener = [&](const Record& r) {
    const bool is_leader =
        r.mark == Mark::kRole && r.b == static_cast<std::int64_t>(consensus::Role::kLeader);
    const bool is_wanted = is_leader || r.mark == Mark::kConfig || r.mark == Mark::kCrash ||
                           r.mark == Mark::kRestart || r.mark == Mark::kInstalled ||
                           r.mark == Mark::kTruncate;
    if (is_wanted) text += format_record(r) + "\n";
  };
  const Outcome outcome = world.run();
  text += "violation: " +
          (outcome.violation ? outcome.violation->invariant + ", " + outcome.violation->text
                             : std::string("none")) +
          "\n";
  return text;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream whole;
  whole << file.rdbuf();
  return whole.str();
}

std::vector<std::filesystem::path> scenario_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(DISTCRON_SCENARIOS)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST_SUITE_BEGIN("sim");

TEST_CASE("each scenario goes as it is written") {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the test has one thread
  const bool rewrites = std::getenv("DISTCRON_REWRITE") != nullptr;
  const auto files = scenario_files();
  CHECK(!files.empty());
  for (const auto& path : files) {
    const std::string name = path.filename().string();
    CAPTURE(name);
    const std::string text = read_file(path);
    const std::size_t rule = text.find("\n----\n");
    const std::string head = rule == std::string::npos ? text : text.substr(0, rule + 1);
    const auto script = parse_script(head);
    if (!script) FAIL(script.error().message);

    const std::string trace = milestones(*script);

    if (rewrites) {
      std::ofstream(path) << head << kRule << trace;
    } else {
      const std::string expected =
          rule == std::string::npos ? "" : text.substr(rule + 1 + kRule.size());
      CHECK(trace == expected);
    }
  }
}

TEST_SUITE_END();

}  // namespace
}  // namespace distcron::sim

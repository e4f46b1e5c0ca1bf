// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "unit/planner/fleet.h"

namespace distcron::planner {

using namespace std::chrono_literals;
using model::RunState;

namespace {

constexpr std::uint64_t kBoot = 0xB007;

/// One host that issued a permit at its boottime of 1 h, `age` ago.
struct Permitted : Fleet {
  explicit Permitted(Micros age = Micros(0)) : Fleet(1) {
    situation.nodes[0].permit = HostPermit{kBoot, Micros(1h).count(), age};
  }

  void put_jobs(int count) {
    for (int i = 0; i < count; ++i)
      put(World::spec("j" + std::to_string(i), "0 * * * *"));
  }
};

}  // namespace

TEST_SUITE("planner") {
  TEST_CASE("a claim counts from the permit of its host") {
    Permitted fleet(Micros(300ms));
    fleet.put_jobs(1);
    fleet.sleep(1h - 1500ms);

    fleet.settle();

    const auto orders = fleet.orders_of<ClaimOrder>();
    REQUIRE(orders.size() == 1);
    REQUIRE(orders[0].permit);
    CHECK(orders[0].permit->boot == kBoot);
    CHECK(orders[0].permit->counter == Micros(1h).count());
    // 300 ms since the permit, 1.5 s to the slot.
    CHECK(orders[0].permit->start_in_us == Micros(1800ms).count());
    CHECK(orders[0].permit->start_slack_us >= Micros(2s).count());
    CHECK(orders[0].start_at == kT0 + 1h);
  }

  TEST_CASE("a claim that is late already starts at once") {
    Permitted fleet(Micros(200ms));
    fleet.put_jobs(1);
    fleet.sleep(1h + 5min);

    fleet.settle();

    const auto orders = fleet.orders_of<ClaimOrder>();
    REQUIRE(orders.size() == 1);
    CHECK(orders[0].permit->start_in_us == Micros(200ms).count());
  }

  TEST_CASE("a host without a permit goes by its wall clock") {
    Fleet fleet(1);
    fleet.put(World::spec("a", "0 * * * *"));
    fleet.sleep(1h);

    fleet.settle();

    REQUIRE(fleet.orders_of<ClaimOrder>().size() == 1);
    CHECK_FALSE(fleet.orders_of<ClaimOrder>()[0].permit);
  }

  TEST_CASE("a herd has longer to start, each of its runs as long as the others, 30 s at most") {
    for (const auto& [count, rate, slack] : {std::tuple{100, std::int64_t{50}, Micros(4s)},
                                             std::tuple{100, std::int64_t{0}, Micros(3s)},
                                             std::tuple{100, std::int64_t{5'000}, Micros(3s)},
                                             std::tuple{400, std::int64_t{10}, Micros(30s)}}) {
      Permitted fleet;
      fleet.situation.nodes[0].start_rate = rate;
      fleet.put_jobs(count);
      fleet.sleep(1h);

      fleet.settle();

      const auto orders = fleet.orders_of<ClaimOrder>();
      REQUIRE(orders.size() == static_cast<std::size_t>(count));
      CHECK(orders.front().permit->start_slack_us == slack.count());
      CHECK(orders.back().permit->start_slack_us == slack.count());
    }
  }

  TEST_CASE("permits change nothing of the state: an entry without them comes to the same") {
    Permitted with;
    Fleet without(1);
    for (Fleet* fleet : {static_cast<Fleet*>(&with), &without}) {
      fleet->put(World::spec("a", "0 * * * *"));
      fleet->sleep(1h);
      fleet->settle();
    }

    CHECK(with.state.dump() == without.state.dump());
    CHECK(with.run(1).state == RunState::kDispatched);
  }
}

}  // namespace distcron::planner

// SPDX-License-Identifier: Apache-2.0
#include "mesh/peer_boots.h"

#include <doctest/doctest.h>

namespace distcron::mesh {

using namespace std::chrono_literals;
using Heard = PeerBoots::Heard;

TEST_SUITE("mesh") {
  TEST_CASE("what an earlier life of a peer left in the buffers is dropped") {
    PeerBoots boots;
    const MonoTime t{100s};
    CHECK(boots.hear(7, t) == Heard::kNew);
    CHECK(boots.hear(7, t) == Heard::kSame);
    CHECK(boots.hear(8, t + 5s) == Heard::kNew);
    CHECK(boots.hear(7, t + 5s) == Heard::kOld);
    CHECK(boots.hear(8, t + 5s) == Heard::kSame);
    CHECK(boots.boot() == 8);
  }

  TEST_CASE("who hears an earlier life last is not deaf to the present one") {
    PeerBoots boots;
    const MonoTime t{100s};
    CHECK(boots.hear(8, t) == Heard::kNew);
    CHECK(boots.hear(7, t) == Heard::kNew);  // nobody can tell yet
    CHECK(boots.hear(8, t + 100ms) == Heard::kOld);
    CHECK(boots.hear(8, t + 1001ms) == Heard::kNew);
    CHECK(boots.hear(8, t + 1002ms) == Heard::kSame);
    CHECK(boots.hear(7, t + 1003ms) == Heard::kOld);
  }
}

}  // namespace distcron::mesh

// SPDX-License-Identifier: Apache-2.0
// Bytes of messages and configurations: back and forth, and against hostile input.
#include "consensus/codec.h"

#include <string>

#include <doctest/doctest.h>

#include "base/rng.h"
#include "support/seed.h"

namespace distcron::consensus {
namespace {

constexpr std::int64_t kNumberMax = std::int64_t{1} << 61;

Config sample_config() {
  return {{
      {1, MemberKind::kVoter, 0},
      {7, MemberKind::kLearner, -3},
      {kNumberMax, MemberKind::kWitness, 2'147'483'647},
  }};
}

std::string bytes(Rng& rng, std::uint64_t size_max) {
  std::string text(rng.below(size_max + 1), '\0');
  for (char& c : text) {
    c = static_cast<char>(rng.below(256));
  }
  return text;
}

std::int64_t number(Rng& rng) {
  return static_cast<std::int64_t>(rng.draw() >> (3 + rng.below(61)));
}

Message random_message(Rng& rng) {
  Message m;
  m.kind = static_cast<MessageKind>(1 + rng.below(11));
  m.from = number(rng);
  m.to = number(rng);
  m.cluster = rng.draw();
  m.incarnation = number(rng);
  m.term = number(rng);
  m.prev_index = number(rng);
  m.prev_term = number(rng);
  m.commit = number(rng);
  for (std::uint64_t i = rng.below(5); i > 0; --i) {
    const auto kind = static_cast<EntryKind>(rng.below(3));
    m.entries.push_back({m.prev_index + 1 + static_cast<Index>(m.entries.size()), number(rng), kind,
                         bytes(rng, 300)});
  }
  m.reject = rng.below(2) == 0;
  m.force = rng.below(2) == 0;
  m.match = number(rng);
  m.hint_index = number(rng);
  m.hint_term = number(rng);
  m.round = rng.draw();
  m.context = rng.draw();
  if (rng.below(2) == 0) m.config = sample_config();
  m.config_index = number(rng);
  m.offset = rng.draw();
  m.size = rng.draw();
  m.crc = static_cast<std::uint32_t>(rng.draw());
  m.data = bytes(rng, 300);
  return m;
}

}  // namespace

TEST_CASE("a message comes back as it was") {
  Rng rng(test::seed());
  for (int i = 0; i < 2'000; ++i) {
    const Message m = random_message(rng);
    const Result<Message> back = decode_message(encode_message(m));
    REQUIRE(back);
    REQUIRE(*back == m);
  }
}

TEST_CASE("a heartbeat is small") {
  Message m;
  m.from = 1;
  m.to = 2;
  m.cluster = ~0ULL;
  m.term = 1'000;
  m.prev_index = m.commit = 1'000'000'000;
  m.round = 1'000'000;
  CHECK(encode_message(m).size() <= 50);
}

TEST_CASE("a configuration comes back as it was, also an empty one") {
  for (const Config& config : {Config{}, sample_config()}) {
    const Result<Config> back = decode_config(encode_config(config));
    REQUIRE(back);
    CHECK(*back == config);
  }
}

TEST_CASE("the bytes on disk of a configuration do not change") {
  CHECK(encode_config({{{1, MemberKind::kVoter, 0}, {300, MemberKind::kWitness, -1}}}) ==
        std::string("\x01\x02\x01\x00\x00\xac\x02\x02\x01", 9));
}

TEST_CASE("every prefix of a message, and one byte more, is refused") {
  Rng rng(7);
  const std::string whole = encode_message(random_message(rng));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    CHECK_FALSE(decode_message(std::string_view(whole).substr(0, i)));
  }
  CHECK_FALSE(decode_message(whole + '\0'));
  CHECK(decode_message(whole));
}

TEST_CASE("no bytes do harm") {
  Rng rng(test::seed());
  const std::string whole = encode_message(random_message(rng));
  std::size_t read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = i % 2 == 0 ? bytes(rng, 200) : whole;
    if (!bad.empty()) {
      bad[rng.below(bad.size())] = static_cast<char>(rng.below(256));
      bad[0] = '\x01';
    }
    (void)decode_config(bad);
    const Result<Message> message = decode_message(bad);
    if (!message) continue;
    ++read;
    REQUIRE(encode_message(*message) == bad);
  }
  CHECK(read > 0);
}

TEST_CASE("counts beyond the bytes that follow are refused before memory is taken") {
  CHECK_FALSE(decode_config(std::string("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11)));
  CHECK_FALSE(decode_config(std::string("\x01\x02\x01\x00\x00", 5)));
}

TEST_CASE("members of id 0, twice, out of order, or of an unknown kind are refused") {
  CHECK_FALSE(decode_config(std::string("\x01\x01\x00\x00\x00", 5)));
  CHECK_FALSE(decode_config(std::string("\x01\x02\x01\x00\x00\x01\x00\x00", 8)));
  CHECK_FALSE(decode_config(std::string("\x01\x02\x02\x00\x00\x01\x00\x00", 8)));
  CHECK_FALSE(decode_config(std::string("\x01\x01\x01\x03\x00", 5)));
}

TEST_CASE("another version, an unknown kind and numbers too large are refused") {
  std::string whole = encode_message({});
  whole[0] = '\x02';
  CHECK(decode_message(whole).error().code == ErrorCode::kInvalid);
  whole[0] = '\x01';
  for (const char kind : {'\x00', '\x0c', '\xff'}) {
    whole[1] = kind;
    CHECK_FALSE(decode_message(whole));
  }
  Message m;
  m.term = kNumberMax + 1;
  CHECK_FALSE(decode_message(encode_message(m)));
  m.term = -1;
  CHECK_FALSE(decode_message(encode_message(m)));
}

}  // namespace distcron::consensus

// SPDX-License-Identifier: Apache-2.0
#include "mesh/join_client.h"
#include "mesh/join_token.h"
#include "mesh_world.h"

namespace distcron::mesh {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

JoinToken token_for(const std::vector<JoinServer>& servers) {
  Result<JoinToken> token = make_join_token("c0ffee", servers);
  REQUIRE(token.has_value());
  return *token;
}

std::unique_ptr<JoinClient> joiner(const JoinToken& token, const std::string& request,
                                   Micros patience = Micros(20'000'000)) {
  JoinOptions options;
  options.token = token;
  options.cluster = kTestCluster;
  options.boot = 3;
  options.request = request;
  options.patience = patience;
  auto client = JoinClient::make(options, mesh_now().mono);
  REQUIRE(client.has_value());
  return std::move(*client);
}

/// Drives both sides; guests are answered with their own words.
Result<std::string> join(MeshWorld& world, MeshNode& server, JoinClient& client) {
  std::optional<Result<std::string>> answer;
  const bool has_ended = world.run_until([&] {
    for (const PeerMessage& message : server.inbox) {
      if (message.kind != PeerKind::kJoin) continue;
      static_cast<void>(server.mesh->reply_to_guest(message.way_back, "welcome, " + message.bytes));
    }
    std::erase_if(server.inbox, [](const PeerMessage& m) { return m.kind == PeerKind::kJoin; });
    answer = client.poll(mesh_now().mono);
    return answer.has_value();
  });
  if (!has_ended) return fail(ErrorCode::kIo, "the client goes on for ever");
  return std::move(*answer);
}

TEST_SUITE("mesh") {
  TEST_CASE("a token comes back from its line as it was, and is one line") {
    const JoinToken token =
        token_for({{fresh_keys().public_key, {"10.0.0.1:8471", "[fd00::1]:8471"}},
                   {fresh_keys().public_key, {"host-b.example:8471"}}});

    const auto text = format_join_token(token);
    REQUIRE(text.has_value());
    const auto parsed = parse_join_token("  " + *text + " \r\n");

    REQUIRE(parsed.has_value());
    CHECK(text->rfind("distcron1:", 0) == 0);
    CHECK(text->find_first_of(" \n\t'\"$") == std::string::npos);
    CHECK(parsed->cluster_id == token.cluster_id);
    CHECK(parsed->keys.public_key == token.keys.public_key);
    CHECK(parsed->keys.secret_key == token.keys.secret_key);
    CHECK(parsed->servers == token.servers);
    CHECK(token_hash(token.keys.public_key).size() == 64);
    CHECK(token_hash(token.keys.public_key).rfind(token_id(token.keys.public_key), 0) == 0);
    CHECK(token_hash("no key").empty());
  }

  TEST_CASE("what is wrong with a token is said, without the token") {
    const auto text = format_join_token(token_for({{fresh_keys().public_key, {"h:1"}}}));
    REQUIRE(text.has_value());
    std::string changed = *text;
    changed[30] = changed[30] == 'A' ? 'B' : 'A';

    struct Row {
      std::string text;
      std::string expected;
    };

    const std::vector<Row> rows = {
        {"", "it is empty"},
        {" \n", "it is empty"},
        {"distcron2:abc", "does not begin with distcron1:"},
        {*text + "!", "belongs to no token"},
        {text->substr(0, 40) + " " + text->substr(40), "belongs to no token"},
        {text->substr(0, text->size() - 3), "missing or was changed"},
        {changed, "missing or was changed"},
        {"distcron1:", "missing or was changed"},
        {"distcron1:" + std::string(5'000, 'A'), "too long"},
    };

    for (const Row& row : rows) {
      CAPTURE(row.text);
      const auto parsed = parse_join_token(row.text);
      REQUIRE_FALSE(parsed.has_value());
      CHECK(parsed.error().code == ErrorCode::kInvalid);
      CHECK(parsed.error().message.find(row.expected) != std::string::npos);
      CHECK(parsed.error().message.find(text->substr(12, 10)) == std::string::npos);
      CHECK(parsed.error().hint.find("join-token") != std::string::npos);
    }
  }

  TEST_CASE("a token of nobody, without address or with too much is not made") {
    const std::string key = fresh_keys().public_key;

    CHECK_FALSE(format_join_token(token_for({})).has_value());
    CHECK_FALSE(format_join_token(token_for({{key, {}}})).has_value());
    CHECK_FALSE(format_join_token(token_for({{key, {""}}})).has_value());
    CHECK_FALSE(format_join_token(token_for({{"short", {"h:1"}}})).has_value());
    CHECK_FALSE(format_join_token(token_for({{key, {std::string(300, 'h')}}})).has_value());
    CHECK_FALSE(
        format_join_token(token_for(std::vector<JoinServer>(33, {key, {"h:1"}}))).has_value());
    const std::vector<std::string> many(32, std::string(200, 'h'));
    CHECK_FALSE(format_join_token(token_for({{key, many}})).has_value());
  }

  TEST_CASE("a host with a token is heard and answered, and the answer tells which token it was") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    const JoinToken token = token_for({{a.keys.public_key, {a.address()}}});
    a.mesh->set_guests({token_hash(token.keys.public_key)});

    const auto client = joiner(token, "I am host-d");
    std::string guest;
    const bool has_come = world.run_until([&] {
      static_cast<void>(client->poll(mesh_now().mono));
      return !a.inbox.empty();
    });
    REQUIRE(has_come);
    CHECK(a.inbox[0].guest == token_hash(token.keys.public_key));
    CHECK(a.inbox[0].from == 0);
    CHECK(a.inbox[0].bytes == "I am host-d");
    const auto answer = join(world, a, *client);

    REQUIRE(answer.has_value());
    CHECK(*answer == "welcome, I am host-d");
    const Status unknown = a.mesh->reply_to_guest("nobody", "x");
    CHECK(unknown.error().code == ErrorCode::kUnavailable);
  }

  TEST_CASE("a member that is not there is passed over") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    const JoinToken token = token_for({{fresh_keys().public_key, {"127.0.0.1:1"}},
                                       {fresh_keys().public_key, {a.address()}},
                                       {a.keys.public_key, {"[::1]:1", a.address()}}});
    a.mesh->set_guests({token_hash(token.keys.public_key)});

    const auto answer = join(world, a, *joiner(token, "d"));

    REQUIRE(answer.has_value());
    CHECK(*answer == "welcome, d");
  }

  TEST_CASE("a token that is not known is refused, and one that nobody answers times out") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    const JoinToken token = token_for({{a.keys.public_key, {a.address()}}});

    const auto refused = join(world, a, *joiner(token, "d"));
    const JoinToken away = token_for({{a.keys.public_key, {"127.0.0.1:1"}}});
    const auto late = join(world, a, *joiner(away, "d", Micros(300'000)));
    JoinOptions options;
    options.token = token;
    options.request = std::string(kJoinBodyBytesMax + 1, 'x');
    const auto too_long = JoinClient::make(options, mesh_now().mono);

    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::kDenied);
    CHECK(a.mesh->counters().refused_keys >= 1);
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == ErrorCode::kTimeout);
    CHECK(late.error().message.find("127.0.0.1:1") != std::string::npos);
    REQUIRE_FALSE(too_long.has_value());
    CHECK(too_long.error().code == ErrorCode::kInvalid);
  }

  TEST_CASE("a guest who sends anything but a short join request is cut off") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    MeshNode& b = world.add(2);
    REQUIRE(world.connect_all());
    const JoinToken token = token_for({{a.keys.public_key, {a.address()}}});
    a.mesh->set_guests({token_hash(token.keys.public_key)});
    const std::vector<std::string> wrong = {
        raw_message(PeerKind::kRaft, 0, "append"),
        raw_message(PeerKind::kRaft, 2, "append"),
        raw_message(PeerKind::kRequest, 0, "run job"),
        raw_message(PeerKind::kPing, 0, std::string(8, '\0')),
        raw_message(PeerKind::kJoin, 2, "I am node 2"),
        raw_message(PeerKind::kJoin, 0, std::string(kJoinBodyBytesMax + 1, 'x')),
        "no message",
    };

    for (const std::string& bytes : wrong) {
      RawPeer raw;
      raw.as(token.keys, a.keys.public_key).to(a.address());
      raw.send(bytes);
      CHECK(world.run_until([&] { return raw.has_ended(); }));
      CHECK(raw.was_open());
    }

    const PeerCounters& counters = a.mesh->counters();
    CHECK(counters.guests_refused + counters.malformed == static_cast<int>(wrong.size()));
    CHECK(counters.cut == static_cast<int>(wrong.size()));
    CHECK(a.inbox.empty());
    CHECK(world.deliver(b, a, "still served"));
  }

  TEST_CASE("of many join requests at once only some are passed on") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    const JoinToken token = token_for({{a.keys.public_key, {a.address()}}});
    a.mesh->set_guests({token_hash(token.keys.public_key)});
    RawPeer raw;
    raw.as(token.keys, a.keys.public_key).to(a.address());
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 200; ++i)
      raw.send(raw_message(PeerKind::kJoin, 0, "me"));

    REQUIRE(world.run_until(
        [&] { return a.mesh->counters().guests_refused + a.mesh->counters().received == 200; }));
    const auto took = std::chrono::ceil<seconds>(std::chrono::steady_clock::now() - start);

    CHECK(a.mesh->counters().received <= PeerMesh::kJoinsPerSecond * (4 + took.count()));
    CHECK(a.mesh->counters().received >= PeerMesh::kJoinsPerSecond);
  }

  TEST_CASE("only so many guests are there at once, and they go with their token") {
    MeshWorld world;
    MeshNode& a = world.add(1);
    const JoinToken token = token_for({{a.keys.public_key, {a.address()}}});
    const JoinToken other = token_for({{a.keys.public_key, {a.address()}}});
    const JoinToken third = token_for({{a.keys.public_key, {a.address()}}});
    a.mesh->set_guests({token_hash(token.keys.public_key), token_hash(other.keys.public_key),
                        token_hash(third.keys.public_key)});
    std::vector<std::unique_ptr<RawPeer>> guests;
    for (int i = 0; i < PeerMesh::kGuestsMax; ++i) {
      const JoinToken& shown = i % 2 == 0 ? token : other;
      guests.push_back(std::make_unique<RawPeer>());
      guests.back()->as(shown.keys, a.keys.public_key).to(a.address());
      guests.back()->send(raw_message(PeerKind::kJoin, 0, "me"));
    }
    REQUIRE(world.run_until([&] { return a.inbox.size() == PeerMesh::kGuestsMax; }));

    RawPeer surplus;
    surplus.as(third.keys, a.keys.public_key).to(a.address());
    const bool is_refused = world.run_until([&] { return surplus.has_ended(); });
    a.mesh->set_guests({});
    const bool all_ended = world.run_until([&] {
      for (const auto& guest : guests) {
        if (!guest->has_ended()) return false;
      }
      return true;
    });

    CHECK(is_refused);
    CHECK_FALSE(surplus.was_open());
    CHECK(all_ended);
  }
}

}  // namespace
}  // namespace distcron::mesh

// SPDX-License-Identifier: Apache-2.0
// JoinToken: what a host is given to join a cluster, one line of text, docs/format/mesh.md. Its
// secret is a CURVE secret key: the joiner proves it by connecting with it, so it never travels,
// and the cluster keeps only the public half (`hash`), of which the secret cannot be told. Pure
// values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mesh/keys.h"

namespace distcron::mesh {

struct JoinServer {
  std::string public_key;              ///< Mesh key of a member, z85.
  std::vector<std::string> addresses;  ///< HOST:PORT

  bool operator==(const JoinServer&) const = default;
};

struct JoinToken {
  std::string cluster_id;
  KeyPair keys;  ///< Of the token, not of a node.
  std::vector<JoinServer> servers;
};

inline constexpr std::string_view kJoinTokenPrefix = "distcron1:";
inline constexpr std::size_t kJoinTokenBytesMax = 4'096;

/// With a fresh pair of keys.
[[nodiscard]] Result<JoinToken> make_join_token(const std::string& cluster_id,
                                                const std::vector<JoinServer>& servers);

/// What the cluster keeps of a token: 64 hex digits, from the public half of its keys.
[[nodiscard]] std::string token_hash(std::string_view token_public_key);
/// The first digits of it, for people.
[[nodiscard]] std::string token_id(std::string_view token_public_key);

/// One line, without its end. kInvalid: no cluster id, no server, no address, or too much of it.
[[nodiscard]] Result<std::string> format_join_token(const JoinToken& token);
/// Surrounding blanks and line ends are no part of it. kInvalid says what is wrong, without quoting
/// the token.
[[nodiscard]] Result<JoinToken> parse_join_token(std::string_view text);

}  // namespace distcron::mesh

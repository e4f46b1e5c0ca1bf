// SPDX-License-Identifier: Apache-2.0
#include "mesh/join_token.h"

#include <array>
#include <cstdint>
#include <utility>

#include <zmq.h>

#include "base/hash.h"
#include "base/text.h"

namespace distcron::mesh {

namespace {

constexpr std::size_t kRawKeyBytes = 32;
constexpr std::size_t kIdDigits = 8;
constexpr std::size_t kTextMax = 255;  // lengths have one byte
constexpr std::size_t kListMax = 32;
constexpr std::size_t kCheckBytes = 4;
constexpr std::string_view kHex = "0123456789abcdef";
// Source: RFC 4648 section 5, without padding.
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Empty when it is no key.
std::string raw_key(std::string_view text) {
  if (!is_key_text(text)) return {};
  std::array<std::uint8_t, kRawKeyBytes> raw{};
  if (::zmq_z85_decode(raw.data(), std::string(text).c_str()) == nullptr) return {};
  return {raw.begin(), raw.end()};
}

std::string key_text(std::string_view raw) {
  std::array<char, kKeyTextBytes + 1> text{};
  std::array<std::uint8_t, kRawKeyBytes> bytes{};
  for (std::size_t i = 0; i < kRawKeyBytes; ++i)
    bytes[i] = static_cast<std::uint8_t>(raw[i]);
  ::zmq_z85_encode(text.data(), bytes.data(), bytes.size());
  return text.data();
}

std::string base64(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += kBase64[(bits >> count) & 63U];
    }
  }
  if (count > 0) out += kBase64[(bits << (6 - count)) & 63U];
  return out;
}

Result<std::string> from_base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) {
      return fail(ErrorCode::kInvalid, "a character in it belongs to no token");
    }
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(static_cast<unsigned char>(bits >> count));
  }
  return out;
}

std::string check_of(std::string_view bytes) {
  const std::uint64_t hash = stable_hash(bytes);
  std::string out;
  for (unsigned i = 0; i < kCheckBytes; ++i)
    out += static_cast<char>(static_cast<unsigned char>(hash >> (8U * i)));
  return out;
}

/// Takes pieces off the front of the decoded bytes; is_whole turns false when they end too early.
class Piece {
 public:
  explicit Piece(std::string_view bytes) : bytes_(bytes) {}

  std::string take(std::size_t count) {
    if (count > bytes_.size()) {
      is_whole_ = false;
      return std::string(count, '\0');
    }
    std::string out(bytes_.substr(0, count));
    bytes_.remove_prefix(count);
    return out;
  }

  std::size_t length() { return static_cast<unsigned char>(take(1)[0]); }

  std::string text() { return take(length()); }

  [[nodiscard]] bool is_whole() const { return is_whole_; }

  [[nodiscard]] bool is_at_end() const { return is_whole_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool is_whole_ = true;
};

Status add_text(std::string& out, const std::string& text, const char* what) {
  if (text.empty() || text.size() > kTextMax) {
    return fail(ErrorCode::kInvalid, std::string("cannot make a join token: ") + what + " has " +
                                         std::to_string(text.size()) + " bytes, 1 to " +
                                         std::to_string(kTextMax) + " are possible");
  }
  out += static_cast<char>(static_cast<unsigned char>(text.size()));
  out += text;
  return {};
}

Status add_count(std::string& out, std::size_t count, const char* what) {
  if (count == 0 || count > kListMax) {
    return fail(ErrorCode::kInvalid, "cannot make a join token with " + std::to_string(count) +
                                         " " + what + ": 1 to " + std::to_string(kListMax) +
                                         " are possible");
  }
  out += static_cast<char>(static_cast<unsigned char>(count));
  return {};
}

tl::unexpected<Error> bad_token(std::string_view why) {
  return fail_hint(ErrorCode::kInvalid, "cannot use this join token: " + std::string(why),
                   "copy the whole line that `distcronctl node join-token -o name` prints");
}

}  // namespace

Result<JoinToken> make_join_token(const std::string& cluster_id,
                                  const std::vector<JoinServer>& servers) {
  DC_TRY(KeyPair keys, make_key_pair());
  return JoinToken{cluster_id, std::move(keys), servers};
}

std::string token_hash(std::string_view token_public_key) {
  std::string out;
  for (const char c : raw_key(token_public_key)) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHex[byte >> 4U];
    out += kHex[byte & 15U];
  }
  return out;
}

std::string token_id(std::string_view token_public_key) {
  return token_hash(token_public_key).substr(0, kIdDigits);
}

Result<std::string> format_join_token(const JoinToken& token) {
  std::string bytes = raw_key(token.keys.secret_key);
  if (bytes.empty()) return fail(ErrorCode::kInvalid, "cannot make a join token without its key");
  DC_CHECK_OK(add_text(bytes, token.cluster_id, "the cluster's id"));
  DC_CHECK_OK(add_count(bytes, token.servers.size(), "members"));
  for (const JoinServer& server : token.servers) {
    const std::string key = raw_key(server.public_key);
    if (key.empty()) return fail(ErrorCode::kInvalid, "cannot make a join token: no mesh key");
    bytes += key;
    DC_CHECK_OK(add_count(bytes, server.addresses.size(), "addresses of a member"));
    for (const std::string& address : server.addresses) {
      DC_CHECK_OK(add_text(bytes, address, "an address"));
    }
  }
  std::string out(kJoinTokenPrefix);
  out += base64(bytes + check_of(bytes));
  if (out.size() > kJoinTokenBytesMax) {
    return fail(ErrorCode::kInvalid, "cannot make a join token of " + std::to_string(out.size()) +
                                         " bytes: at most " + std::to_string(kJoinTokenBytesMax));
  }
  return out;
}

Result<JoinToken> parse_join_token(std::string_view text) {
  text = trim(text, " \t\r\n");
  if (text.empty()) return bad_token("it is empty");
  if (text.substr(0, kJoinTokenPrefix.size()) != kJoinTokenPrefix) {
    return bad_token("it does not begin with " + std::string(kJoinTokenPrefix));
  }
  if (text.size() > kJoinTokenBytesMax) return bad_token("it is too long");
  auto bytes = from_base64(text.substr(kJoinTokenPrefix.size()));
  if (!bytes) return bad_token(bytes.error().message);
  const std::size_t size = bytes->size() < kCheckBytes ? 0 : bytes->size() - kCheckBytes;
  const std::string_view body = std::string_view(*bytes).substr(0, size);
  if (size == 0 || check_of(body) != bytes->substr(size)) {
    return bad_token("a part of it is missing or was changed");
  }
  Piece piece(body);
  JoinToken token;
  token.keys.secret_key = key_text(piece.take(kRawKeyBytes));
  std::array<char, kKeyTextBytes + 1> public_key{};
  if (::zmq_curve_public(public_key.data(), token.keys.secret_key.c_str()) != 0) {
    return bad_token("its key is none, or this libzmq was built without CURVE");
  }
  token.keys.public_key = public_key.data();
  token.cluster_id = piece.text();
  const std::size_t servers = piece.length();
  for (std::size_t i = 0; i < servers && piece.is_whole(); ++i) {
    JoinServer& server = token.servers.emplace_back();
    server.public_key = key_text(piece.take(kRawKeyBytes));
    const std::size_t addresses = piece.length();
    for (std::size_t k = 0; k < addresses && piece.is_whole(); ++k)
      server.addresses.push_back(piece.text());
    if (addresses == 0) return bad_token("it names a member without address");
  }
  if (!piece.is_at_end() || token.servers.empty() || token.cluster_id.empty()) {
    return bad_token("it is of another version");
  }
  return token;
}

}  // namespace distcron::mesh

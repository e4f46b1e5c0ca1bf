// SPDX-License-Identifier: Apache-2.0
// Tape: the values of one msgpack text in their order, and Reader: the cursor that takes them off.
// Memory follows the bytes that are there, never a count that a sender claims. Texts point into
// the bytes that were read, which must outlive the tape. No thread rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace distcron::wire {

enum class TokenKind : std::uint8_t {
  kNil,
  kBool,
  kUnsigned,
  kNegative,
  kDouble,
  kText,
  kArray,
  kMap,
};

struct Token {
  TokenKind kind = TokenKind::kNil;
  std::uint32_t size = 0;  ///< kText: bytes; kArray, kMap: members.
  std::uint64_t bits = 0;  ///< The value; kText: offset of the first byte.
};

/// Reads all of `bytes`, one value, within the limits of wire/codec.h.
[[nodiscard]] Result<std::vector<Token>> make_tape(std::string_view bytes);

/// Takes values off a tape. Each method returns false and notes why if the value does not fit;
/// the cursor is then of no more use.
class Reader {
 public:
  Reader(std::string_view bytes, const std::vector<Token>& tape) : bytes_(bytes), tape_(tape) {}

  bool take(bool& value);
  bool take(std::int32_t& value);
  bool take(std::int64_t& value);
  bool take(std::uint64_t& value);
  bool take(double& value);
  bool take(std::string& value);
  bool take_text(std::string_view& value);
  /// Members of the array or pairs of the map that begins here.
  bool take_array(std::size_t& size);
  bool take_map(std::size_t& size);
  /// Whether the next value is the text `key`; takes it if so.
  bool take_if(std::string_view key);
  /// Leaves out one value with all that it holds.
  bool skip();

  /// Notes the first failure; returns false.
  bool refuse(std::string_view why);
  /// Puts the member that was being read in front of the failure.
  void within(std::string_view key);

  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  [[nodiscard]] const Token* next();

  std::string_view bytes_;
  const std::vector<Token>& tape_;
  std::size_t at_ = 0;
  std::string failure_;
};

}  // namespace distcron::wire

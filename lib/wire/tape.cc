// SPDX-License-Identifier: Apache-2.0
#include "wire/tape.h"

#include <bit>
#include <exception>
#include <limits>

#include <msgpack/null_visitor.hpp>
#include <msgpack/unpack.hpp>

#include "wire/codec.h"

namespace distcron::wire {

namespace {

constexpr std::uint64_t kInt64Max = std::numeric_limits<std::int64_t>::max();

/// Writes the tape and holds the limits. Called by the parser of msgpack; false stops it.
class TapeVisitor : public msgpack::null_visitor {
 public:
  TapeVisitor(std::string_view bytes, std::vector<Token>& tape) : bytes_(bytes), tape_(tape) {}

  bool visit_nil() { return add({TokenKind::kNil, 0, 0}); }

  bool visit_boolean(bool value) { return add({TokenKind::kBool, 0, value ? 1U : 0U}); }

  bool visit_positive_integer(std::uint64_t value) { return add({TokenKind::kUnsigned, 0, value}); }

  bool visit_negative_integer(std::int64_t value) {
    return add({TokenKind::kNegative, 0, static_cast<std::uint64_t>(value)});
  }

  bool visit_float32(float value) { return visit_float64(static_cast<double>(value)); }

  bool visit_float64(double value) {
    return add({TokenKind::kDouble, 0, std::bit_cast<std::uint64_t>(value)});
  }

  bool visit_str(const char* value, std::uint32_t size) {
    const auto offset = size == 0 ? 0 : static_cast<std::uint64_t>(value - bytes_.data());
    return add({TokenKind::kText, size, offset});
  }

  bool visit_bin(const char* value, std::uint32_t size) { return visit_str(value, size); }

  bool visit_ext(const char* /*value*/, std::uint32_t /*size*/) {
    return stop("has an extension type");
  }

  bool start_array(std::uint32_t size) { return open({TokenKind::kArray, size, 0}, 1); }

  bool start_map(std::uint32_t size) { return open({TokenKind::kMap, size, 0}, 2); }

  void insufficient_bytes(std::size_t /*parsed*/, std::size_t /*error*/) { stop("is cut short"); }

  void parse_error(std::size_t /*parsed*/, std::size_t /*error*/) { stop("is no msgpack"); }

  bool end_array() { return close(); }

  bool end_map() { return close(); }

  [[nodiscard]] std::string_view why() const { return why_; }

 private:
  bool add(Token token) {
    if (tape_.size() == kValuesMax) return stop("has too many values");
    tape_.push_back(token);
    return true;
  }

  bool open(Token token, std::size_t bytes_each) {
    if (token.size > kMembersMax || token.size * bytes_each > bytes_.size()) {
      return stop("claims more members than it can hold");
    }
    if (++depth_ > kDepthMax) return stop("is nested too deeply");
    return add(token);
  }

  bool close() {
    --depth_;
    return true;
  }

  bool stop(std::string_view why) {
    why_ = why;
    return false;
  }

  std::string_view bytes_;
  std::vector<Token>& tape_;
  std::size_t depth_ = 0;
  std::string_view why_;
};

}  // namespace

Result<std::vector<Token>> make_tape(std::string_view bytes) {
  constexpr std::size_t kBytesPerValue = 4;  // typical; saves most growing
  if (bytes.size() > kMessageBytesMax) {
    return fail(ErrorCode::kInvalid, "message is longer than 4 MiB");
  }
  std::vector<Token> tape;
  tape.reserve(bytes.size() / kBytesPerValue + 1);
  TapeVisitor visitor(bytes, tape);
  std::size_t end = 0;
  try {
    if (!msgpack::parse(bytes.data(), bytes.size(), end, visitor)) {
      return fail(ErrorCode::kInvalid, "message " + std::string(visitor.why()));
    }
  } catch (const std::exception&) {  // the visitor only throws for lack of memory
    return fail(ErrorCode::kInvalid, "message does not fit into memory");
  }
  if (end != bytes.size()) return fail(ErrorCode::kInvalid, "message has bytes after its end");
  return tape;
}

const Token* Reader::next() {
  if (at_ >= tape_.size()) return nullptr;
  return &tape_[at_++];
}

bool Reader::take(bool& value) {
  const Token* token = next();
  if (token == nullptr || token->kind != TokenKind::kBool) return refuse("is not true or false");
  value = token->bits != 0;
  return true;
}

bool Reader::take(std::int64_t& value) {
  const Token* token = next();
  const bool fits =
      token != nullptr && (token->kind == TokenKind::kNegative ||
                           (token->kind == TokenKind::kUnsigned && token->bits <= kInt64Max));
  if (!fits) return refuse("is not a 64-bit integer");
  value = static_cast<std::int64_t>(token->bits);
  return true;
}

bool Reader::take(std::int32_t& value) {
  std::int64_t wide = 0;
  if (!take(wide)) return false;
  if (wide < std::numeric_limits<std::int32_t>::min() ||
      wide > std::numeric_limits<std::int32_t>::max()) {
    return refuse("is not a 32-bit integer");
  }
  value = static_cast<std::int32_t>(wide);
  return true;
}

bool Reader::take(std::uint64_t& value) {
  const Token* token = next();
  if (token == nullptr || token->kind != TokenKind::kUnsigned) {
    return refuse("is not an unsigned integer");
  }
  value = token->bits;
  return true;
}

bool Reader::take(double& value) {
  const Token* token = next();
  if (token == nullptr) return refuse("is missing");
  if (token->kind == TokenKind::kDouble) {
    value = std::bit_cast<double>(token->bits);
  } else if (token->kind == TokenKind::kUnsigned) {
    value = static_cast<double>(token->bits);
  } else if (token->kind == TokenKind::kNegative) {
    value = static_cast<double>(static_cast<std::int64_t>(token->bits));
  } else {
    return refuse("is not a number");
  }
  return true;
}

bool Reader::take_text(std::string_view& value) {
  const Token* token = next();
  if (token == nullptr || token->kind != TokenKind::kText) return refuse("is not a text");
  value = bytes_.substr(token->bits, token->size);
  return true;
}

bool Reader::take(std::string& value) {
  std::string_view text;
  if (!take_text(text)) return false;
  value.assign(text);
  return true;
}

bool Reader::take_array(std::size_t& size) {
  const Token* token = next();
  if (token == nullptr || token->kind != TokenKind::kArray) return refuse("is not a list");
  size = token->size;
  return true;
}

bool Reader::take_map(std::size_t& size) {
  const Token* token = next();
  if (token == nullptr || token->kind != TokenKind::kMap) return refuse("is not a map");
  size = token->size;
  return true;
}

bool Reader::take_if(std::string_view key) {
  if (at_ >= tape_.size()) return false;
  const Token& token = tape_[at_];
  if (token.kind != TokenKind::kText || token.size != key.size()) return false;
  if (bytes_.substr(token.bits, token.size) != key) return false;
  ++at_;
  return true;
}

bool Reader::skip() {
  std::size_t open = 1;
  while (open > 0) {
    const Token* token = next();
    if (token == nullptr) return refuse("is missing");
    --open;
    if (token->kind == TokenKind::kArray) open += token->size;
    if (token->kind == TokenKind::kMap) open += std::size_t{token->size} * 2;
  }
  return true;
}

bool Reader::refuse(std::string_view why) {
  if (failure_.empty()) failure_ = why;
  return false;
}

void Reader::within(std::string_view key) {
  const bool is_path = failure_.find(": ") != std::string::npos;
  failure_.insert(0, std::string(key) + (is_path ? "." : ": "));
}

}  // namespace distcron::wire

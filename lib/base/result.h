// SPDX-License-Identifier: Apache-2.0
// Failures as values: Result<T>, Status, Error and the DC_TRY macro.
// No thread rule: plain values. Bugs are assertions; only input and environment fail this way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace distcron {

/// What the caller may do about a failure; never a log level.
enum class ErrorCode : std::uint8_t {
  kInvalid,      ///< The input is wrong; correct it.
  kNotFound,     ///< No such object.
  kConflict,     ///< Exists already, or changed since it was read.
  kDenied,       ///< The caller may not do this.
  kUnavailable,  ///< Not now; trying again may help.
  kTimeout,      ///< No answer in time; the request may still take effect.
  kCorrupt,      ///< Stored bytes are damaged.
  kIo,           ///< The system refused a call; see sys_errno.
};

/// A failure as a value. `message` is for people; code branches on `code`.
struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string message;
  int sys_errno = 0;  ///< errno at the failing call, 0 when none applies.
  std::string hint;   ///< The way out, such as a command to type; may be empty.

  /// Puts the caller's purpose in front of the message.
  [[nodiscard]] Error within(std::string_view purpose) && {
    message.insert(0, std::string(purpose) + ": ");
    return std::move(*this);
  }
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

/// Makes the error side of any Result. With `sys_errno`, the system's words are appended.
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message), 0, {}});
}

[[nodiscard]] inline tl::unexpected<Error> fail_hint(ErrorCode code, std::string message,
                                                     std::string hint) {
  return tl::unexpected<Error>(Error{code, std::move(message), 0, std::move(hint)});
}

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

/// As fail(), for a refused system call: appends the text of `sys_errno`.
[[nodiscard]] tl::unexpected<Error> fail_errno(ErrorCode code, std::string message, int sys_errno);

/// Stable lower-case name of a code, such as "not_found".
[[nodiscard]] std::string_view name_of(ErrorCode code);

}  // namespace distcron

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot stand in parentheses.
#define DC_CONCAT_INNER(a, b) a##b
#define DC_CONCAT(a, b) DC_CONCAT_INNER(a, b)
#define DC_TRY_INNER(tmp, decl, expr)                        \
  auto tmp = (expr);                                         \
  if (!tmp) return ::distcron::fail(std::move(tmp).error()); \
  decl = std::move(*tmp)
/// DC_TRY(const auto spec, load(name)); binds the value, or returns the error to the caller.
#define DC_TRY(decl, expr) DC_TRY_INNER(DC_CONCAT(dc_try_, __LINE__), decl, expr)
/// DC_CHECK_OK(save(name)); returns the error of a Status to the caller.
#define DC_CHECK_OK(expr)                                    \
  do {                                                       \
    if (auto dc_status = (expr); !dc_status) {               \
      return ::distcron::fail(std::move(dc_status).error()); \
    }                                                        \
  } while (false)
// NOLINTEND(bugprone-macro-parentheses)

// SPDX-License-Identifier: Apache-2.0
// Exit codes of distcronctl, and failures that carry one. Scripts read the numbers (distcronctl(1),
// EXIT STATUS): never renumber. Plain values, no thread rule.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace distcron::ctl {

/// `run --exit-code` returns other numbers too: the status of the job.
enum class ExitCode : int {
  kOk = 0,
  kNegative = 1,     ///< Carried out, but the answer is no.
  kUsage = 2,        ///< Wrong use of the command line.
  kNotFound = 3,     ///< No such object.
  kDenied = 4,       ///< Not allowed.
  kConflict = 5,     ///< Exists already, or changed since it was read.
  kUnreachable = 6,  ///< No agent answers.
  kTimeout = 7,      ///< Not done in time; the request may still take effect.
  kNotReady = 8,     ///< The cluster cannot do it now; trying again is safe.
  kInvalid = 9,      ///< The input is wrong.
  kInternal = 70,    ///< A bug, or damaged data.
  kInterrupted = 130,
};

/// What an error from the agent or from reading input means for the shell.
[[nodiscard]] constexpr ExitCode exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return ExitCode::kInvalid;
    case ErrorCode::kNotFound:
      return ExitCode::kNotFound;
    case ErrorCode::kConflict:
      return ExitCode::kConflict;
    case ErrorCode::kDenied:
      return ExitCode::kDenied;
    case ErrorCode::kUnavailable:
      return ExitCode::kNotReady;
    case ErrorCode::kTimeout:
      return ExitCode::kTimeout;
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
      return ExitCode::kInternal;
  }
  return ExitCode::kInternal;
}

/// An error together with the exit code that it leads to.
struct Failure {
  Error error;
  ExitCode exit = ExitCode::kInternal;

  // NOLINTNEXTLINE(google-explicit-constructor): lets DC_TRY pass an Error on.
  Failure(Error cause) : error(std::move(cause)), exit(exit_code_of(error.code)) {}

  Failure(Error cause, ExitCode code) : error(std::move(cause)), exit(code) {}
};

/// A value, or a Failure.
template <class T>
class [[nodiscard]] Answer : public tl::expected<T, Failure> {
 public:
  using tl::expected<T, Failure>::expected;
};

/// What a command returns.
using Outcome = Answer<ExitCode>;

/// Wrong use of the command line: exit code 2. `hint` is the way out, may be empty.
[[nodiscard]] inline tl::unexpected<Failure> usage(std::string message, std::string hint = {}) {
  return tl::unexpected<Failure>(Failure(
      Error{ErrorCode::kInvalid, std::move(message), 0, std::move(hint)}, ExitCode::kUsage));
}

}  // namespace distcron::ctl

namespace distcron {

/// Lets DC_TRY and DC_CHECK_OK pass a Failure on.
[[nodiscard]] inline tl::unexpected<ctl::Failure> fail(ctl::Failure failure) {
  return tl::unexpected<ctl::Failure>(std::move(failure));
}

}  // namespace distcron

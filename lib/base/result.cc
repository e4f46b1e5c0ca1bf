// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <system_error>

namespace distcron {

tl::unexpected<Error> fail_errno(ErrorCode code, std::string message, int sys_errno) {
  message += ": " + std::generic_category().message(sys_errno);
  return tl::unexpected<Error>(Error{code, std::move(message), sys_errno, {}});
}

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kDenied:
      return "denied";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kIo:
      return "io";
  }
  return "invalid";
}

}  // namespace distcron

// SPDX-License-Identifier: Apache-2.0
// The version of this program, such as "0.1.0".
#pragma once

#include <string_view>

namespace distcron::ctl {

[[nodiscard]] std::string_view version();

}  // namespace distcron::ctl

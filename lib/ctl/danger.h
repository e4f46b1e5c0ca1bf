// SPDX-License-Identifier: Apache-2.0
// The question before what cannot be undone: the name of the cluster is the answer.
#pragma once

#include <string>
#include <string_view>

#include "ctl/context.h"
#include "ctl/outcome.h"

namespace distcron::ctl {

/// True once `given` (of --confirm) or the typed answer is `name`; --yes is not enough. Exit code 2
/// when it is another one, or when nobody can be asked.
[[nodiscard]] Answer<bool> confirm_name(Context& context, const std::string& given,
                                        const std::string& name, std::string_view what);

}  // namespace distcron::ctl

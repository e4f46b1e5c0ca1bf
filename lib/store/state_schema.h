// SPDX-License-Identifier: Apache-2.0
// The tables and views of state.db (docs/format/state-db.md), and their versions.
#pragma once

#include "store/format.h"

namespace distcron::store {

[[nodiscard]] const FileFormat& state_format();

}  // namespace distcron::store

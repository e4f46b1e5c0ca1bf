// SPDX-License-Identifier: Apache-2.0
// Seeded bugs. Only the simulator's build knows them (DISTCRON_MUTANTS): it switches one on by name
// and must then find a violation. In every other build mutant() is false at compile time, so no
// trace of them is in the product. The names and what each breaks: mutants.md beside the sources.
#pragma once

#include <string_view>

namespace distcron {

#ifdef DISTCRON_MUTANTS
/// Defined by the simulator: whether the bug of this name is switched on.
[[nodiscard]] bool mutant(std::string_view name);
#else
[[nodiscard]] constexpr bool mutant(std::string_view) {
  return false;
}
#endif

}  // namespace distcron

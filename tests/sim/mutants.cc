// SPDX-License-Identifier: Apache-2.0
#include "sim/mutants.h"

#include <algorithm>
#include <array>

#include "base/mutant.h"
#include "sim/mutant_names.h"

namespace distcron::sim {
namespace {

std::string_view active_mutant;

}  // namespace

std::span<const std::string_view> mutant_names() {
  return kMutantNames;
}

bool set_mutant(std::string_view name) {
  const auto* const found = std::find(kMutantNames.begin(), kMutantNames.end(), name);
  if (!name.empty() && found == kMutantNames.end()) return false;
  active_mutant = name.empty() ? std::string_view() : *found;
  return true;
}

}  // namespace distcron::sim

bool distcron::mutant(std::string_view name) {
  return name == distcron::sim::active_mutant;
}

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

std::span<const std::string_view> fleet_mutant_names() {
  return kFleetMutantNames;
}

bool set_mutant(std::string_view name) {
  active_mutant = {};
  if (name.empty()) return true;
  for (const auto names : {mutant_names(), fleet_mutant_names()}) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) continue;
    active_mutant = *found;
    return true;
  }
  return false;
}

}  // namespace distcron::sim

bool distcron::mutant(std::string_view name) {
  return name == distcron::sim::active_mutant;
}

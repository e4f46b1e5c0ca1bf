// SPDX-License-Identifier: Apache-2.0
// Selectors: which hosts a job may run on (`on`), and which jobs a command means (`-l`). Terms
// joined by `,` or `&&`, all of which must hold:
//   role=db   a label has a value (`==` is the same)      name=web1   the name is this
//   dc!=test  it has another value or none                web1        short for name=web1
// Values and names are globs (model/glob.h). Plain values, pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/job_spec.h"

namespace distcron::model {

struct SelectorTerm {
  std::string key;  ///< Label; "name" and "host" are the name.
  bool is_negated = false;
  std::string pattern;
};

/// All terms must hold; no terms: everything.
struct Selector {
  std::vector<SelectorTerm> terms;
};

/// kInvalid names the term that does not fit. An empty text selects everything.
[[nodiscard]] Result<Selector> parse_selector(std::string_view text);

[[nodiscard]] bool matches(const Selector& selector, std::string_view name, const TextMap& labels);

/// As above on the text; a text that does not parse selects nothing.
[[nodiscard]] bool matches(std::string_view selector, std::string_view name, const TextMap& labels);

/// The first term that does not hold, as text such as "role=db"; empty when all hold.
[[nodiscard]] std::string first_mismatch(std::string_view selector, std::string_view name,
                                         const TextMap& labels);

}  // namespace distcron::model

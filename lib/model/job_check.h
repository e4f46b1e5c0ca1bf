// SPDX-License-Identifier: Apache-2.0
// The checks behind validate(), field by field, for callers that show more than the first problem
// or bring their own zones. Pure, apart from tzdata through cron::ZoneCache.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cron/zone.h"
#include "model/job_spec.h"

namespace distcron::model {

/// One thing that is wrong with a spec.
struct FieldProblem {
  std::string field;  ///< Key of visit_fields, such as "retry.max".
  std::string text;   ///< Such as "1000 is not between 0 and 100".
  std::string hint;   ///< The way out; may be empty.
};

/// All problems in the order of the field list, without the zone: the same on every host whatever
/// its tzdata, so replicated state may depend on it.
[[nodiscard]] std::vector<FieldProblem> check_fields(const JobSpec& spec);

/// Problem of `spec.tz` alone; empty when it is known or not set.
[[nodiscard]] std::vector<FieldProblem> check_zone(const JobSpec& spec, cron::ZoneCache& zones);

/// As validate(spec), for many specs: each zone is loaded once.
[[nodiscard]] Status validate(const JobSpec& spec, cron::ZoneCache& zones);

/// As validate(spec) but blind for the zone, see check_fields().
[[nodiscard]] Status validate_without_zone(const JobSpec& spec);

/// kInvalid with the rule as hint unless `name` is [group/]name of letters, digits, `.`, `_`, `-`.
[[nodiscard]] Status check_job_name(std::string_view name);

}  // namespace distcron::model

// SPDX-License-Identifier: Apache-2.0
// JobSpec -> job file (config/job_file.h).
#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "config/job_file.h"
#include "config/toml_write.h"

namespace distcron::config {

namespace {

using model::JobSpec;
using model::TextMap;

/// "key = value" lines of one field; nothing for an unset one.
template <class M>
std::string field_lines(std::string_view key, const M& member) {
  std::string out;
  if constexpr (std::is_same_v<M, TextMap>) {
    for (const auto& [name, text] : member) {
      out += std::string(key) + '.' + toml_key(name) + " = " + toml_quote(text) + '\n';
    }
  } else if constexpr (std::is_same_v<M, model::TextList>) {
    // One schedule or rule reads better without brackets; argv is a list even if of one.
    const bool is_plain = member.size() == 1 && key != "argv";
    out = std::string(key) + " = " + (is_plain ? toml_quote(member[0]) : toml_value(member)) + '\n';
  } else {
    out = std::string(key) + " = " + toml_value(member) + '\n';
  }
  return out;
}

template <class M>
std::string field_lines(std::string_view key, const std::optional<M>& member) {
  return member ? field_lines(key, *member) : std::string();
}

/// Whether a field without value says nothing, even among all fields.
template <class M>
bool is_void(const M& member) {
  if constexpr (std::is_same_v<M, std::string> || !model::kIsScalar<M>) {
    return member.empty();
  } else {
    return false;
  }
}

std::string job_table(const JobSpec& spec, bool resolved) {
  const JobSpec defaults;
  std::vector<const void*> values;
  model::visit_fields(defaults, [&values](const model::Field& /*field*/, const auto& member) {
    values.push_back(&member);
  });
  std::string out = "[job." + toml_key(spec.name) + "]\n";
  std::size_t i = 0;
  model::visit_fields(spec, [&](const model::Field& field, const auto& member) {
    using Member = std::remove_cvref_t<decltype(member)>;
    const bool is_default = member == *static_cast<const Member*>(values[i++]);
    if (field.key == "name" || (is_default && (!resolved || is_void(member)))) return;
    out += field_lines(field.key, member);
  });
  return out;
}

}  // namespace

std::string format_job_toml(const JobSpec& spec, bool resolved) {
  return "version = 1\n\n" + job_table(spec, resolved);
}

std::string format_jobs_toml(const std::vector<JobSpec>& specs) {
  std::string out = "version = 1\n";
  for (const JobSpec& spec : specs)
    out += '\n' + job_table(spec, false);
  return out;
}

}  // namespace distcron::config

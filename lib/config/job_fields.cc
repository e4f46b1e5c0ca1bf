// SPDX-License-Identifier: Apache-2.0
// Single fields of a job from text: set, unset, notify tables.
#include "config/job_fields.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/suggest.h"
#include "config/job_file.h"
#include "config/toml_read.h"

namespace distcron::config {

namespace {

using model::JobSpec;
using model::TextList;
using model::TextMap;

Status unknown_key(std::string_view key) {
  std::vector<std::string> known = field_keys();
  known.emplace_back("every");
  known.emplace_back("at");
  const std::vector<std::string> near = suggest(key, known);
  return fail_hint(ErrorCode::kInvalid, std::string(key) + ": unknown key",
                   near.empty() ? std::string() : "did you mean: " + near.front());
}

Status refuse_name() {
  return fail_hint(ErrorCode::kInvalid, "name: cannot be set", "use distcronctl rename");
}

/// A list of one; argv is more than that.
Status read_one(std::string_view key, std::string_view text, TextList& value) {
  if (key == "argv") {
    return fail_hint(ErrorCode::kInvalid, "is not a list",
                     "write such as argv='[\"/usr/bin/find\", \"/tmp\"]', or set command");
  }
  if (text.empty()) {
    value.clear();
  } else {
    value = {std::string(text)};
  }
  return {};
}

template <class M>
Status set_member(std::string_view key, std::string_view text, M& member) {
  if constexpr (std::is_same_v<M, TextMap>) {
    TextMap read;  // set replaces the table; env.NAME sets one entry
    DC_CHECK_OK(read_toml_or_plain<TextMap>(text, read, [](std::string_view plain, TextMap& value) {
      return read_plain_map(plain, value);
    }));
    member = std::move(read);
    return {};
  } else if constexpr (std::is_same_v<M, TextList>) {
    if (key == "argv" && (text.empty() || text.front() != '[')) return read_one(key, text, member);
    return read_toml_or_plain<TextList>(
        text, member,
        [key](std::string_view plain, TextList& value) { return read_one(key, plain, value); });
  } else if constexpr (!model::kIsScalar<M>) {
    return read_toml_or_plain<M>(text, member, [](std::string_view plain, M& value) {
      return read_plain_list(plain, value);
    });
  } else {
    return read_toml_or_plain<M>(text, member, [](std::string_view plain, M& value) {
      return model::parse_value(plain, value);
    });
  }
}

/// Leaves only the one of command, argv and script that was set.
void drop_rivals(std::string_view key, JobSpec& spec) {
  const bool is_one = key == "command" || key == "argv" || key == "script";
  if (!is_one) return;
  if (key != "command") spec.command.clear();
  if (key != "argv") spec.argv.clear();
  if (key != "script") spec.script.clear();
}

/// "env.A" for the field "env": the entry's name; empty when the key is none.
template <class M>
std::string entry_name(std::string_view key, const model::Field& field, const M& /*member*/) {
  if (!std::is_same_v<M, TextMap> || !lies_below(key, field.key)) return {};
  return std::string(key.substr(field.key.size() + 1));
}

}  // namespace

Status add_notify_rule(const toml::node& table, TextList& rules) {
  if (!table.is_table()) return fail(ErrorCode::kInvalid, "is not a table of when and to");
  TextList when;
  TextList to;
  for (const auto& [name, node] : *table.as_table()) {
    const std::string key(name.str());
    if (key != "when" && key != "to") {
      return fail_hint(ErrorCode::kInvalid, key + ": unknown key", "a rule has when and to");
    }
    Status status = read_node(node, key == "when" ? when : to);
    if (!status) return fail(std::move(status.error()).within(key));
  }
  if (when.empty() || to.empty()) return fail(ErrorCode::kInvalid, "lacks when or to");
  std::string words;
  for (const std::string& word : when)
    words += (words.empty() ? "" : ",") + word;
  for (const std::string& target : to)
    rules.push_back(words + ':' + target);
  return {};
}

Status set_field(JobSpec& spec, std::string_view key, std::string_view text) {
  if (key == "name") return refuse_name();
  if (key == "every" || key == "at") {
    spec.schedule = {'@' + std::string(key) + ' ' + std::string(text)};
    return {};
  }
  bool is_known = false;
  Status status;
  model::visit_fields(spec, [&](const model::Field& field, auto& member) {
    using Member = std::remove_cvref_t<decltype(member)>;
    const std::string entry = entry_name(key, field, member);
    if (field.key != key && entry.empty()) return;
    is_known = true;
    if constexpr (std::is_same_v<Member, TextMap>) {
      if (!entry.empty()) {
        member.insert_or_assign(entry, std::string(text));
        return;
      }
    }
    status = set_member(key, text, member);
  });
  if (!is_known) return unknown_key(key);
  if (!status) return fail(std::move(status.error()).within(key));
  drop_rivals(key, spec);
  return {};
}

Status unset_field(JobSpec& spec, std::string_view key) {
  if (key == "name") return refuse_name();
  if (key == "every" || key == "at") key = "schedule";
  const JobSpec defaults;
  bool is_known = false;
  std::vector<const void*> values;
  model::visit_fields(defaults, [&values](const model::Field& /*field*/, const auto& member) {
    values.push_back(&member);
  });
  std::size_t i = 0;
  model::visit_fields(spec, [&](const model::Field& field, auto& member) {
    using Member = std::remove_cvref_t<decltype(member)>;
    const void* const value = values[i++];
    const std::string entry = entry_name(key, field, member);
    if (field.key != key && entry.empty()) return;
    is_known = true;
    if constexpr (std::is_same_v<Member, TextMap>) {
      if (!entry.empty()) {
        member.erase(entry);
        return;
      }
    }
    member = *static_cast<const Member*>(value);
  });
  return is_known ? Status() : unknown_key(key);
}

std::vector<std::string> field_keys() {
  std::vector<std::string> keys;
  const JobSpec spec;
  model::visit_fields(spec, [&keys](const model::Field& field, const auto& /*member*/) {
    keys.emplace_back(field.key);
  });
  return keys;
}

}  // namespace distcron::config

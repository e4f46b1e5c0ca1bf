// SPDX-License-Identifier: Apache-2.0
#include "config/toml_read.h"

#include <exception>
#include <limits>

#include "base/text.h"

namespace distcron::config {

namespace {

Status wrong(std::string_view what) {
  return fail(ErrorCode::kInvalid, "is not " + std::string(what));
}

Status wrong(std::string_view what, std::string_view hint) {
  return fail_hint(ErrorCode::kInvalid, "is not " + std::string(what), std::string(hint));
}

/// The text of a scalar as a person would type it, for maps of texts.
Status read_scalar(const toml::node& node, std::string& value) {
  if (const auto* integer = node.as_integer()) {
    value = std::to_string(integer->get());
  } else if (const auto* boolean = node.as_boolean()) {
    value = boolean->get() ? "true" : "false";
  } else if (const auto* number = node.as_floating_point()) {
    value = model::format_value(number->get());
  } else {
    return read_node(node, value);
  }
  return {};
}

template <class Handle>
Status for_each_member(std::string_view text, const Handle& handle) {
  if (trim(text).empty()) return {};
  while (true) {
    const std::size_t comma = text.find(',');
    DC_CHECK_OK(handle(trim(text.substr(0, comma))));
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

std::optional<toml::table> parse_toml(std::string_view text, Problem& problem) {
  if (text.size() > kTomlBytesMax) {
    problem.text = "is longer than 16 MiB";
    return std::nullopt;
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    problem = problem_at(error.source(), text, std::string(error.description()), {});
  } catch (const std::exception& error) {
    problem.text = std::string("cannot be read: ") + error.what();
  }
  return std::nullopt;
}

Problem problem_at(const toml::source_region& where, std::string_view source, std::string text,
                   std::string hint) {
  Problem problem;
  problem.line = where.begin.line;
  problem.column = where.begin.column;
  if (where.end.line == where.begin.line && where.end.column > where.begin.column) {
    problem.width = where.end.column - where.begin.column;
  }
  problem.text = std::move(text);
  problem.hint = std::move(hint);
  problem.source_line = line_of(source, problem.line);
  return problem;
}

Status read_node(const toml::node& node, std::string& value) {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong("a text", "write it in quotes");
  value = text->get();
  return {};
}

Status read_node(const toml::node& node, bool& value) {
  const auto* boolean = node.as_boolean();
  if (boolean == nullptr) return wrong("true or false");
  value = boolean->get();
  return {};
}

Status read_node(const toml::node& node, std::int64_t& value) {
  const auto* integer = node.as_integer();
  if (integer == nullptr) return wrong("a whole number");
  value = integer->get();
  return {};
}

Status read_node(const toml::node& node, std::int32_t& value) {
  std::int64_t wide = 0;
  DC_CHECK_OK(read_node(node, wide));
  if (wide < std::numeric_limits<std::int32_t>::min() ||
      wide > std::numeric_limits<std::int32_t>::max()) {
    return fail(ErrorCode::kInvalid, std::to_string(wide) + " is out of range");
  }
  value = static_cast<std::int32_t>(wide);
  return {};
}

Status read_node(const toml::node& node, double& value) {
  if (const auto* number = node.as_floating_point()) {
    value = number->get();
  } else if (const auto* integer = node.as_integer()) {
    value = static_cast<double>(integer->get());
  } else {
    return wrong("a number");
  }
  return {};
}

Status read_node(const toml::node& node, Millis& value) {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong("a duration", "write such as \"90s\", \"10m\" or \"1h30m\"");
  return model::parse_value(text->get(), value);
}

Status read_node(const toml::node& node, model::Bytes& value) {
  if (node.is_integer()) return read_node(node, value.count);
  const auto* text = node.as_string();
  if (text == nullptr) return wrong("a size", "write such as \"8MiB\"");
  return model::parse_value(text->get(), value);
}

Status read_node(const toml::node& node, model::Mode& value) {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong("a mode", "write octal digits in quotes, such as \"022\"");
  return model::parse_value(text->get(), value);
}

Status read_node(const toml::node& node, model::TextList& value) {
  model::TextList read;
  if (const auto* array = node.as_array()) {
    for (const toml::node& member : *array)
      DC_CHECK_OK(read_node(member, read.emplace_back()));
  } else {
    if (!node.is_string()) return wrong("a text or a list of texts");
    DC_CHECK_OK(read_node(node, read.emplace_back()));
  }
  value = std::move(read);
  return {};
}

Status read_node(const toml::node& node, std::vector<std::int32_t>& value) {
  std::vector<std::int32_t> read;
  if (const auto* array = node.as_array()) {
    for (const toml::node& member : *array)
      DC_CHECK_OK(read_node(member, read.emplace_back()));
  } else {
    DC_CHECK_OK(read_node(node, read.emplace_back()));
  }
  value = std::move(read);
  return {};
}

Status read_node(const toml::node& node, model::TextMap& value) {
  const auto* table = node.as_table();
  if (table == nullptr) return wrong("a table", "write such as { key = \"value\" }");
  for (const auto& [key, member] : *table) {
    std::string text;
    DC_CHECK_OK(read_scalar(member, text));
    value.insert_or_assign(std::string(key.str()), std::move(text));
  }
  return {};
}

Status read_plain_list(std::string_view text, model::TextList& value) {
  model::TextList read;
  DC_CHECK_OK(for_each_member(text, [&read](std::string_view member) -> Status {
    read.emplace_back(member);
    return {};
  }));
  value = std::move(read);
  return {};
}

Status read_plain_list(std::string_view text, std::vector<std::int32_t>& value) {
  std::vector<std::int32_t> read;
  DC_CHECK_OK(for_each_member(text, [&read](std::string_view member) {
    return model::parse_value(member, read.emplace_back());
  }));
  value = std::move(read);
  return {};
}

Status read_plain_map(std::string_view text, model::TextMap& value) {
  model::TextMap read = value;
  DC_CHECK_OK(for_each_member(text, [&read](std::string_view member) -> Status {
    const std::size_t equals = member.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return wrong("a table", "write such as key=value,key=value");
    }
    read.insert_or_assign(std::string(trim(member.substr(0, equals))),
                          std::string(trim(member.substr(equals + 1))));
    return {};
  }));
  value = std::move(read);
  return {};
}

bool lies_below(std::string_view key, std::string_view table) {
  return key.size() > table.size() && key.starts_with(table) && key[table.size()] == '.';
}

}  // namespace distcron::config

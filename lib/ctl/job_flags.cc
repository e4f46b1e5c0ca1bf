// SPDX-License-Identifier: Apache-2.0
#include "ctl/job_flags.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ctl/choices.h"
#include "model/field_text.h"

namespace distcron::ctl {
namespace {

using model::Field;
using model::JobSpec;
using model::TextList;
using model::TextMap;

/// Flags whose names do not follow from the key. An empty flag: the field has none of its own.
struct FlagName {
  std::string_view key;
  std::string_view flag;
  char letter = 0;
};

constexpr std::array kFlagNames = {
    FlagName{"name", ""},
    FlagName{"enabled", "disabled"},
    FlagName{"schedule", "schedule"},
    FlagName{"argv", ""},
    FlagName{"script", ""},
    FlagName{"user", "user", 'u'},
    FlagName{"retry.max", "retry"},
    FlagName{"labels", "label"},
    FlagName{"ok_codes", "ok-code"},
    FlagName{"limits.nice", "nice"},
    FlagName{"limits.nofile", "nofile"},
    FlagName{"limits.nproc", "nproc"},
    FlagName{"limits.memory", "memory"},
    FlagName{"limits.fsize", "fsize"},
    FlagName{"limits.core", "core"},
    FlagName{"no_new_privs", "allow-new-privs"},
    FlagName{"origin.source", ""},
    FlagName{"origin.line", ""},
    FlagName{"origin.host", ""},
    FlagName{"managed", ""},
};

/// Flags whose use means false, with their help.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kNegatives{{
    {"enabled", "make it without letting its schedule run"},
    {"no_new_privs", "let setuid programs gain privileges"},
}};

std::string flag_name(std::string_view key) {
  for (const FlagName& row : kFlagNames) {
    if (row.key == key) return std::string(row.flag);
  }
  std::string name(key);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '.' || c == '_'; }, '-');
  return name;
}

char flag_letter(std::string_view key) {
  for (const FlagName& row : kFlagNames) {
    if (row.key == key) return row.letter;
  }
  return 0;
}

template <class T>
struct ChoicesOf {
  static std::vector<std::string> list() { return {}; }
};

template <model::NamedEnum E>
struct ChoicesOf<E> {
  static std::vector<std::string> list() { return enum_names<E>(); }
};

template <>
struct ChoicesOf<cron::Dialect> {
  static std::vector<std::string> list() { return dialect_names(); }
};

template <>
struct ChoicesOf<cron::DstMode> {
  static std::vector<std::string> list() { return dst_names(); }
};

Status add_pair(TextMap& map, std::string_view text) {
  DC_TRY(auto pair, parse_pair(text));
  map[std::move(pair.first)] = std::move(pair.second);
  return {};
}

Status assign(TextList& list, std::string_view text, bool append) {
  if (!append) list.clear();
  if (append || !text.empty()) list.emplace_back(text);
  return {};
}

Status assign(TextMap& map, std::string_view text, bool append) {
  if (!append) map.clear();
  return text.empty() ? Status() : add_pair(map, text);
}

Status assign(std::vector<std::int32_t>& list, std::string_view text, bool append) {
  if (!append) list.clear();
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    std::int32_t number = 0;
    DC_CHECK_OK(model::parse_value(text.substr(0, end), number));
    list.push_back(number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

template <class T>

requires model::kIsScalar<T> Status assign(T& member, std::string_view text, bool append) {
  static_cast<void>(append);
  return model::parse_value(text, member);
}

std::string text_of(const TextList& list) {
  std::string text;
  for (const std::string& item : list)
    text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string text_of(const TextMap& map) {
  std::string text;
  for (const auto& [key, value] : map) {
    text += (text.empty() ? "" : ", ") + key + "=" + value;
  }
  return text;
}

std::string text_of(const std::vector<std::int32_t>& list) {
  std::string text;
  for (const std::int32_t item : list)
    text += (text.empty() ? "" : ", ") + std::to_string(item);
  return text;
}

template <class T>

requires model::kIsScalar<T> std::string text_of(const T& member) {
  return model::format_value(member);
}

template <class T>
void add_flag(Flags& flags, const Field& field, T& member) {
  const std::string name = flag_name(field.key);
  if (name.empty()) return;
  FlagText text{name, flag_letter(field.key), field.value, field.help};
  if constexpr (std::is_same_v<T, bool>) {
    text.value = {};
    bool value = true;
    for (const auto& [key, help] : kNegatives) {
      if (key != field.key) continue;
      text.help = help;
      value = false;
    }
    flags.call(text, [&member, value](std::string_view) -> Status {
      member = value;
      return {};
    });
  } else {
    // The first use replaces the default, the others of one line append.
    Flag& flag = flags.call(
        text, [&member, used = std::make_shared<bool>(false)](std::string_view value) -> Status {
          const bool append = std::exchange(*used, true);
          return assign(member, value, append);
        });
    flag.repeatable = !model::kIsScalar<T>;
    flag.choices = ChoicesOf<T>::list();
  }
  flags.all().back().field = field.key;
}

}  // namespace

void add_job_flags(Flags& flags, JobSpec& spec) {
  model::visit_fields(
      spec, [&flags](const Field& field, auto& member) { add_flag(flags, field, member); });
}

std::vector<std::pair<std::string, std::string>> field_texts(const JobSpec& spec,
                                                             bool with_defaults) {
  std::vector<std::pair<std::string, std::string>> defaults;
  const JobSpec none;
  model::visit_fields(none, [&defaults](const Field& field, const auto& member) {
    defaults.emplace_back(field.key, text_of(member));
  });
  std::vector<std::pair<std::string, std::string>> texts;
  std::size_t i = 0;
  model::visit_fields(spec, [&](const Field& field, const auto& member) {
    std::string text = text_of(member);
    const bool is_default = text == defaults[i++].second;
    if (with_defaults ? !text.empty() : !is_default) texts.emplace_back(field.key, std::move(text));
  });
  return texts;
}

}  // namespace distcron::ctl

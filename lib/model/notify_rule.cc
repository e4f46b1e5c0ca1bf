// SPDX-License-Identifier: Apache-2.0
#include "model/notify_rule.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace distcron::model {

namespace {

template <NamedEnum E>
std::string one_of() {
  std::string out = "one of:";
  for (const std::string_view name : EnumNames<E>::kNames) {
    out += out.back() == ':' ? " " : ", ";
    out += name;
  }
  return out;
}

tl::unexpected<Error> bad_rule(std::string_view text, std::string why, std::string hint) {
  return fail_hint(ErrorCode::kInvalid, "notify rule \"" + std::string(text) + "\": " + why,
                   std::move(hint));
}

constexpr std::string_view kForms =
    "rules are WHEN[,WHEN...]:mail:ADDRESS or WHEN[,WHEN...]:exec:COMMAND LINE";

bool is_address(std::string_view text) {
  return !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f';
  });
}

std::optional<NotifyWhen> when_of(RunState state) {
  switch (state) {
    case RunState::kFailed:
      return NotifyWhen::kFailed;
    case RunState::kMissed:
      return NotifyWhen::kMissed;
    case RunState::kUnknown:
      return NotifyWhen::kUnknown;
    case RunState::kOk:
      return NotifyWhen::kOk;
    case RunState::kTimeout:
      return NotifyWhen::kTimeout;
    case RunState::kKilled:
      return NotifyWhen::kKilled;
    case RunState::kSkipped:
      return NotifyWhen::kSkipped;
    case RunState::kLost:
      return NotifyWhen::kLost;
    case RunState::kQueued:
    case RunState::kDispatched:
    case RunState::kRunning:
    case RunState::kCancelled:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

Result<NotifyRule> parse_notify_rule(std::string_view text) {
  NotifyRule rule;
  const std::size_t first = text.find(':');
  const std::size_t second = first == std::string_view::npos ? first : text.find(':', first + 1);
  if (second == std::string_view::npos) {
    return bad_rule(text, "lacks its parts", std::string(kForms));
  }
  std::string_view words = text.substr(0, first);
  while (true) {
    const std::size_t comma = words.find(',');
    const std::string_view word = words.substr(0, comma);
    const auto when = parse_enum<NotifyWhen>(word);
    if (!when) {
      return bad_rule(text, "unknown word \"" + std::string(word) + "\"", one_of<NotifyWhen>());
    }
    if (std::find(rule.when.begin(), rule.when.end(), *when) == rule.when.end()) {
      rule.when.push_back(*when);
    }
    if (comma == std::string_view::npos) break;
    words.remove_prefix(comma + 1);
  }
  const std::string_view type_text = text.substr(first + 1, second - first - 1);
  const auto type = parse_enum<NotifyType>(type_text);
  if (!type) {
    return bad_rule(text, "unknown type \"" + std::string(type_text) + "\"", one_of<NotifyType>());
  }
  rule.type = *type;
  rule.target = text.substr(second + 1);
  if (rule.type == NotifyType::kMail && !is_address(rule.target)) {
    return bad_rule(text, "lacks a mail address", std::string(kForms));
  }
  if (rule.target.empty() || rule.target.find('\0') != std::string::npos) {
    return bad_rule(text, "lacks a command line", std::string(kForms));
  }
  return rule;
}

std::string format_notify_rule(const NotifyRule& rule) {
  std::string out;
  for (const NotifyWhen when : rule.when) {
    if (!out.empty()) out += ',';
    out += name_of(when);
  }
  return out + ':' + std::string(name_of(rule.type)) + ':' + rule.target;
}

bool applies(const NotifyRule& rule, RunState state, bool was_failing) {
  const std::optional<NotifyWhen> ended = when_of(state);
  return std::any_of(rule.when.begin(), rule.when.end(), [&](NotifyWhen when) {
    if (when == NotifyWhen::kRecovered) return was_failing && state == RunState::kOk;
    return ended == when;
  });
}

}  // namespace distcron::model

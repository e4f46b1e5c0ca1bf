// SPDX-License-Identifier: Apache-2.0
#include "ctl/flags.h"

#include <charconv>
#include <utility>

#include "model/units.h"

namespace distcron::ctl {

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  if (code != std::errc{} || stop != end) {
    return fail(ErrorCode::kInvalid, "\"" + std::string(text) + "\" is not a whole number");
  }
  return number;
}

Result<std::pair<std::string, std::string>> parse_pair(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(ErrorCode::kInvalid, "\"" + std::string(text) + "\" is not of the form K=V");
  }
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

Flag& Flags::call(const FlagText& text, std::function<Status(std::string_view)> set) {
  Flag flag;
  flag.name = text.name;
  flag.letter = text.letter;
  flag.value = text.value;
  flag.help = text.help;
  flag.set = std::move(set);
  flags_.push_back(std::move(flag));
  return flags_.back();
}

Flag& Flags::add(const FlagText& text, bool& target) {
  return call(text, [&target](std::string_view) -> Status {
    target = true;
    return {};
  });
}

Flag& Flags::add(const FlagText& text, std::string& target) {
  return call(text, [&target](std::string_view value) -> Status {
    target = value;
    return {};
  });
}

Flag& Flags::add(const FlagText& text, std::optional<std::string>& target) {
  return call(text, [&target](std::string_view value) -> Status {
    target = std::string(value);
    return {};
  });
}

Flag& Flags::add(const FlagText& text, std::vector<std::string>& target) {
  Flag& flag = call(text, [&target](std::string_view value) -> Status {
    target.emplace_back(value);
    return {};
  });
  flag.repeatable = true;
  return flag;
}

Flag& Flags::add(const FlagText& text, model::TextMap& target) {
  Flag& flag = call(text, [&target](std::string_view value) -> Status {
    DC_TRY(auto pair, parse_pair(value));
    target[std::move(pair.first)] = std::move(pair.second);
    return {};
  });
  flag.repeatable = true;
  return flag;
}

Flag& Flags::add(const FlagText& text, std::int64_t& target) {
  return call(text, [&target](std::string_view value) -> Status {
    DC_TRY(target, parse_integer(value));
    return {};
  });
}

Flag& Flags::add(const FlagText& text, std::optional<std::int64_t>& target) {
  return call(text, [&target](std::string_view value) -> Status {
    DC_TRY(target, parse_integer(value));
    return {};
  });
}

Flag& Flags::add(const FlagText& text, Millis& target) {
  return call(text, [&target](std::string_view value) -> Status {
    DC_TRY(target, model::parse_duration(value));
    return {};
  });
}

Flag& Flags::add(const FlagText& text, std::optional<Millis>& target) {
  return call(text, [&target](std::string_view value) -> Status {
    DC_TRY(target, model::parse_duration(value));
    return {};
  });
}

void Flags::words(const WordsText& text, std::vector<std::string>& target) {
  words_ = text;
  words_target_ = &target;
}

void Flags::argv(std::string_view usage, std::optional<std::vector<std::string>>& target) {
  argv_usage_ = usage;
  argv_target_ = &target;
}

void Flags::set_words(std::vector<std::string> words) {
  if (words_target_ != nullptr) *words_target_ = std::move(words);
}

void Flags::set_argv(std::vector<std::string> argv) {
  if (argv_target_ != nullptr) *argv_target_ = std::move(argv);
}

}  // namespace distcron::ctl

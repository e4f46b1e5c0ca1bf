// SPDX-License-Identifier: Apache-2.0
#include "sim/script.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace distcron::sim {
namespace {

struct OpWord {
  OpKind kind;
  std::string_view name;
  int arguments;    ///< How many of a, b stand in the line.
  bool has_length;  ///< `for 1.5s` may stand at the end.
};

constexpr std::array kWords{
    OpWord{OpKind::kCrash, "crash", 1, true},
    OpWord{OpKind::kCrashWriting, "crash_writing", 2, true},
    OpWord{OpKind::kCrashAll, "crash_all", 0, true},
    OpWord{OpKind::kPause, "pause", 1, true},
    OpWord{OpKind::kBlock, "block", 2, true},
    OpWord{OpKind::kIsolate, "isolate", 1, true},
    OpWord{OpKind::kDeaf, "deaf", 1, true},
    OpWord{OpKind::kMute, "mute", 1, true},
    OpWord{OpKind::kSplit, "split", 1, true},
    OpWord{OpKind::kClog, "clog", 2, true},
    OpWord{OpKind::kLossy, "lossy", 1, true},
    OpWord{OpKind::kDiskFull, "disk_full", 1, true},
    OpWord{OpKind::kDiskSlow, "disk_slow", 2, true},
    OpWord{OpKind::kClockJump, "clock_jump", 2, false},
    OpWord{OpKind::kClockRate, "clock_rate", 2, false},
    OpWord{OpKind::kAddLearner, "add_learner", 1, false},
    OpWord{OpKind::kMakeWitness, "make_witness", 1, false},
    OpWord{OpKind::kPromote, "promote", 1, false},
    OpWord{OpKind::kDemote, "demote", 1, false},
    OpWord{OpKind::kRemove, "remove", 1, false},
    OpWord{OpKind::kStop, "stop", 1, false},
    OpWord{OpKind::kTransfer, "transfer", 1, false},
    OpWord{OpKind::kCompact, "compact", 1, false},
    OpWord{OpKind::kPropose, "propose", 2, false},
};

const OpWord& word_of(OpKind kind) {
  return kWords[static_cast<std::size_t>(kind)];
}

std::vector<std::string_view> split_words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t from = line.find_first_not_of(" \t\r");
    if (from == std::string_view::npos || line[from] == '#') return words;
    const std::size_t to = std::min(line.find_first_of(" \t\r", from), line.size());
    words.push_back(line.substr(from, to - from));
    line.remove_prefix(to);
  }
}

template <class Int>
std::optional<Int> number(std::string_view text) {
  Int value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// `1.5s`, `20ms`, `7us`; microseconds.
std::optional<SimTime> parse_time(std::string_view text) {
  std::int64_t unit = 1'000'000;
  if (text.ends_with("us")) {
    unit = 1;
    text.remove_suffix(2);
  } else if (text.ends_with("ms")) {
    unit = 1'000;
    text.remove_suffix(2);
  } else if (text.ends_with("s")) {
    text.remove_suffix(1);
  } else {
    return std::nullopt;
  }
  const std::size_t dot = std::min(text.find('.'), text.size());
  const auto whole = number<std::int64_t>(text.substr(0, dot));
  if (!whole) return std::nullopt;
  SimTime time = *whole * unit;
  if (dot == text.size()) return time;
  for (const char digit : text.substr(dot + 1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    unit /= 10;
    time += (digit - '0') * unit;
  }
  return time;
}

bool parse_op(const std::vector<std::string_view>& words, Op& op) {
  if (words.size() < 3) return false;
  const auto at = parse_time(words[1]);
  const auto* const word = std::find_if(kWords.begin(), kWords.end(),
                                        [&](const OpWord& w) { return w.name == words[2]; });
  if (!at || word == kWords.end()) return false;
  op.at = *at;
  op.kind = word->kind;
  std::size_t next = 3;
  for (int i = 0; i < word->arguments; ++i, ++next) {
    if (next >= words.size()) return false;
    const bool is_leader = words[next] == "leader";
    const auto value = is_leader ? kLeader : number<std::int64_t>(words[next]);
    if (!value) return false;
    (i == 0 ? op.a : op.b) = *value;
  }
  if (word->has_length && next + 1 < words.size() && words[next] == "for") {
    const auto length = parse_time(words[next + 1]);
    if (!length) return false;
    op.length = *length;
    next += 2;
  }
  return next == words.size();
}

bool parse_line(const std::vector<std::string_view>& words, Script& script) {
  if (words[0] == "at") return parse_op(words, script.ops.emplace_back());
  if (words[0] == "seed" && words.size() == 2) {
    const auto seed = number<std::uint64_t>(words[1]);
    script.seed = seed.value_or(0);
    return seed.has_value();
  }
  if (words[0] != "set" || words.size() != 3) return false;
  for (const OptionField& field : option_fields()) {
    if (field.name != words[1]) continue;
    const auto value = number<std::int64_t>(words[2]);
    script.options.*field.member = value.value_or(0);
    return value.has_value();
  }
  return false;
}

}  // namespace

std::string format_time(SimTime at) {
  const std::string digits = std::to_string(at % 1'000'000);
  return std::to_string(at / 1'000'000) + "." + std::string(6 - digits.size(), '0') + digits + "s";
}

std::string format_op(const Op& op) {
  const OpWord& word = word_of(op.kind);
  std::string line = "at " + format_time(op.at) + " " + std::string(word.name);
  if (word.arguments > 0) {
    const bool is_value = op.kind == OpKind::kSplit || op.kind == OpKind::kLossy;
    line += " " + (op.a == kLeader && !is_value ? "leader" : std::to_string(op.a));
  }
  if (word.arguments > 1) {
    const bool is_node = op.kind == OpKind::kBlock || op.kind == OpKind::kClog;
    line += " " + (op.b == kLeader && is_node ? "leader" : std::to_string(op.b));
  }
  if (word.has_length) line += " for " + format_time(op.length);
  return line;
}

std::string format_script(const Script& script) {
  std::string text = "seed " + std::to_string(script.seed) + "\n";
  const Options defaults;
  for (const OptionField& field : option_fields()) {
    if (script.options.*field.member == defaults.*field.member) continue;
    text += "set " + std::string(field.name) + " " + std::to_string(script.options.*field.member) +
            "\n";
  }
  for (const Op& op : script.ops)
    text += format_op(op) + "\n";
  return text;
}

Result<Script> parse_script(std::string_view text) {
  Script script;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = split_words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty()) continue;
    if (!parse_line(words, script)) {
      return fail(ErrorCode::kInvalid,
                  "cannot read line " + std::to_string(line_number) + " of the script");
    }
  }
  std::stable_sort(script.ops.begin(), script.ops.end(),
                   [](const Op& a, const Op& b) { return a.at < b.at; });
  return script;
}

}  // namespace distcron::sim

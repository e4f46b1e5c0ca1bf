// SPDX-License-Identifier: Apache-2.0
#include "ctl/parser.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/suggest.h"
#include "ctl/help.h"

namespace distcron::ctl {
namespace {

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  std::string text;
  for (const std::string& name : suggest(word, known))
    text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? text : "did you mean: " + text;
}

bool is_flag(std::string_view word) {
  return word.size() > 1 && word[0] == '-';
}

const Flag* find_flag(const Flags& flags, std::string_view word) {
  const std::string_view name = word.substr(0, word.find('='));
  for (const Flag& flag : flags.all()) {
    if (name.starts_with("--") ? name.substr(2) == flag.name
                               : flag.letter != 0 && name[1] == flag.letter) {
      return &flag;
    }
  }
  return nullptr;
}

/// Whether the value of `flag`, written as `word`, is the next word. `flag` may be nullptr.
bool takes_next(const Flag* flag, std::string_view word) {
  if (flag == nullptr || flag->value.empty()) return false;
  return word.starts_with("--") ? word.find('=') == std::string_view::npos : word.size() == 2;
}

/// The flags of one line: those of all commands and those of its command.
struct LineFlags {
  const Flags& globals;
  const Flags& own;

  [[nodiscard]] const Flag* find(std::string_view word) const {
    const Flag* flag = find_flag(own, word);
    return flag != nullptr ? flag : find_flag(globals, word);
  }
};

/// Whether `word` is a flag of any command whose value is the next word.
bool takes_next_word(const Flags& globals, std::string_view word) {
  if (const Flag* flag = find_flag(globals, word)) return takes_next(flag, word);
  return std::any_of(all_commands().begin(), all_commands().end(), [&](const CommandSpec& spec) {
    const Bound bound = spec.bind();
    return takes_next(find_flag(bound.flags, word), word);
  });
}

struct Found {
  const CommandSpec* command = nullptr;
  std::string group;
  std::vector<std::string> rest;  ///< The line without the words of the command.
};

/// Index of the next word that is neither a flag nor the value of one; args.size() for none.
std::size_t next_word(const Flags& globals, const std::vector<std::string>& args,
                      std::size_t from) {
  for (std::size_t i = from; i < args.size(); ++i) {
    if (!is_flag(args[i])) return i;
    if (takes_next_word(globals, args[i])) ++i;
  }
  return args.size();
}

Answer<Found> resolve(const Flags& globals, std::vector<std::string> args) {
  Found found;
  std::size_t at = next_word(globals, args, 0);
  if (at == args.size()) {
    found.rest = std::move(args);
    return found;
  }
  std::string word = args[at];
  args.erase(args.begin() + static_cast<std::ptrdiff_t>(at));
  const std::string first = word;
  bool only_job_verbs = false;
  if (word == "job") {
    at = next_word(globals, args, at);
    if (at == args.size()) {
      found.group = word;
      found.rest = std::move(args);
      return found;
    }
    word = args[at];
    args.erase(args.begin() + static_cast<std::ptrdiff_t>(at));
    only_job_verbs = true;
  }
  for (const Alias& alias : aliases()) {
    if (alias.name != word) continue;
    word = alias.path;
    args.insert(args.begin(), alias.extra.begin(), alias.extra.end());
  }
  found.command = find_command(word);
  const std::vector<std::string> members = group_words(word);
  if (found.command == nullptr && !members.empty() && !only_job_verbs) {
    at = next_word(globals, args, at);
    if (at == args.size()) {
      found.group = word;
      found.rest = std::move(args);
      return found;
    }
    const std::string second = args[at];
    args.erase(args.begin() + static_cast<std::ptrdiff_t>(at));
    found.command = find_command(word + " " + second);
    if (found.command == nullptr) {
      return usage("unknown command \"" + word + " " + second + "\"",
                   did_you_mean(second, members));
    }
  }
  if (found.command == nullptr || (only_job_verbs && !found.command->is_job_verb)) {
    return usage("unknown command \"" + (only_job_verbs ? first + " " + word : first) + "\"",
                 did_you_mean(word, only_job_verbs ? group_words("job") : first_words()));
  }
  found.rest = std::move(args);
  return found;
}

std::string shown(const Flag& flag) {
  return "--" + flag.name;
}

/// Hands one value to its flag; exit code 2 when the flag does not take it.
Answer<bool> set_value(const Flag& flag, std::string_view value) {
  if (!flag.choices.empty() && !flag.value.empty() &&
      std::find(flag.choices.begin(), flag.choices.end(), value) == flag.choices.end()) {
    std::string all;
    for (const std::string& name : flag.choices)
      all += (all.empty() ? "" : ", ") + name;
    const std::string near = did_you_mean(value, flag.choices);
    return usage(shown(flag) + ": unknown value \"" + std::string(value) + "\"",
                 (near.empty() ? "" : near + "; ") + "one of: " + all);
  }
  if (Status status = flag.set(value); !status) {
    return usage(shown(flag) + ": " + status.error().message, status.error().hint);
  }
  return true;
}

struct SplitLine {
  std::vector<std::string> words;   ///< For CLI11.
  std::vector<std::string> dashed;  ///< That are no flags, though they begin with a dash.
};

/// `--flag=value` as two words, because CLI11 takes the next word for an empty value. Fails where
/// the last word lacks its value: CLI11's own text names no way out.
Result<SplitLine> split_values(const LineFlags& flags, const std::vector<std::string>& args) {
  SplitLine line;
  std::vector<std::string>& words = line.words;
  const auto may_have_dash = flags.own.words_text().may_have_dash;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    const Flag* flag = is_flag(word) ? flags.find(word) : nullptr;
    // A whole name is a flag; a letter only where the rest does not say otherwise.
    const bool is_named = flag != nullptr && word.starts_with("--");
    if (is_flag(word) && !is_named && may_have_dash != nullptr && may_have_dash(word)) {
      line.dashed.push_back(word);
      continue;
    }
    if (takes_next(flag, word)) {
      if (i + 1 == args.size()) {
        return fail(ErrorCode::kInvalid, shown(*flag) + " needs a value: " + flag->value);
      }
      words.push_back(word);
      words.push_back(args[++i]);
      continue;
    }
    const std::size_t equals = word.find('=');
    if (flag == nullptr || flag->value.empty() || equals == std::string::npos ||
        !word.starts_with("--")) {
      words.push_back(word);
      continue;
    }
    words.push_back(word.substr(0, equals));
    words.push_back(word.substr(equals + 1));
  }
  return line;
}

/// Flags of one line for CLI11, which notes the uses in order of the command line per flag.
class FlagReader {
 public:
  FlagReader() {
    app_.set_help_flag();
    app_.allow_extras();
  }

  /// Leaves out flags that `own` has under the same name: `import crontab --local` is not the
  /// --local of all commands.
  void add(Flags& flags, const Flags& own) {
    for (Flag& flag : flags.all()) {
      if (&flags != &own && find_flag(own, shown(flag)) != nullptr) continue;
      std::string names = shown(flag);
      if (flag.letter != 0) names += std::string(",-") + flag.letter;
      if (flag.value.empty()) {
        app_.add_flag_function(names, [this, &flag](std::int64_t count) {
          for (std::int64_t i = 0; i < count; ++i)
            note(flag, "");
        });
        continue;
      }
      CLI::Option* option = app_.add_option(names, [this, &flag](const CLI::results_t& values) {
        for (const std::string& value : values)
          note(flag, value);
        return true;
      });
      option->type_size(1)->expected(1)->allow_extra_args(false);
      option->multi_option_policy(flag.repeatable ? CLI::MultiOptionPolicy::TakeAll
                                                  : CLI::MultiOptionPolicy::TakeLast);
    }
  }

  /// The words that belong to no flag.
  Answer<std::vector<std::string>> read(std::vector<std::string> args) {
    std::reverse(args.begin(), args.end());
    try {
      app_.parse(std::move(args));
    } catch (const CLI::Error& error) {
      return usage(error.what());
    }
    if (failure_) return tl::unexpected<Failure>(std::move(*failure_));
    return app_.remaining();
  }

 private:
  void note(const Flag& flag, std::string_view value) {
    if (failure_) return;
    Answer<bool> done = set_value(flag, value);
    if (!done) failure_ = std::move(done).error();
  }

  CLI::App app_;
  std::optional<Failure> failure_;
};

std::vector<std::string> flag_names(const Flags& globals, const Flags& own) {
  std::vector<std::string> names;
  for (const Flag& flag : own.all())
    names.push_back(shown(flag));
  for (const Flag& flag : globals.all())
    names.push_back(shown(flag));
  return names;
}

/// The flags that `word` may have been meant for: of a letter those that begin with it, of a name
/// those that it begins and those that differ little; those of the command itself come first.
std::vector<std::string> near_flags(const std::string& word, const LineFlags& flags) {
  constexpr std::size_t kMost = 3;
  const std::string name = word.substr(0, word.find('='));
  const bool is_letter = !name.starts_with("--");
  const std::string begin = is_letter ? "--" + name.substr(1, 1) : name;
  const std::vector<std::string> known = flag_names(flags.globals, flags.own);
  std::vector<std::string> near;
  const auto add = [&near](const std::string& flag) {
    const bool is_new = std::find(near.begin(), near.end(), flag) == near.end();
    if (is_new && near.size() < kMost) near.push_back(flag);
  };
  for (const std::string& flag : is_letter ? std::vector<std::string>{} : suggest(name, known))
    add(flag);
  for (const std::string& flag : known) {
    if (begin.size() > 2 && flag.starts_with(begin)) add(flag);
  }
  return near;
}

std::string flag_hint(const std::string& word, const LineFlags& flags, const ParsedLine& line) {
  std::string hint;
  for (const std::string& flag : near_flags(word, flags))
    hint += (hint.empty() ? "did you mean: " : ", ") + flag;
  std::string topic = line.group;
  if (line.command != nullptr) topic = line.command->text.path;
  if (!hint.empty()) hint += "\n";
  return hint + "all flags: distcronctl help" + (topic.empty() ? "" : " " + topic);
}

Status check_words(const CommandSpec& spec, const Flags& flags, std::size_t count) {
  const WordsText& text = flags.words_text();
  if (count < text.min) {
    return fail_hint(ErrorCode::kInvalid,
                     std::string(spec.text.path) + ": missing " + std::string(text.usage),
                     usage_line(spec));
  }
  if (count > text.max) {
    return fail_hint(ErrorCode::kInvalid,
                     std::string(spec.text.path) + ": too many arguments" +
                         (text.usage.empty() ? "" : ", it takes " + std::string(text.usage)),
                     usage_line(spec));
  }
  return {};
}

}  // namespace

Answer<ParsedLine> parse_line(const std::vector<std::string>& args, Globals& globals) {
  Flags global_flags;
  add_global_flags(global_flags, globals);
  const auto dashes = std::find(args.begin(), args.end(), "--");
  DC_TRY(Found found, resolve(global_flags, {args.begin(), dashes}));

  ParsedLine line;
  line.command = found.command;
  line.group = found.group;
  if (found.command != nullptr) line.bound = found.command->bind();
  Flags& own = line.bound.flags;
  const auto split = split_values(LineFlags{global_flags, own}, found.rest);
  if (!split) return usage(split.error().message);
  FlagReader reader;
  reader.add(global_flags, own);
  reader.add(own, own);
  DC_TRY(std::vector<std::string> rest, reader.read(split->words));
  for (const std::string& word : rest) {
    if (!is_flag(word)) continue;
    return usage("unknown flag \"" + word + "\"" +
                     (line.command != nullptr ? " of " + std::string(line.command->text.path) : ""),
                 flag_hint(word, LineFlags{global_flags, own}, line));
  }
  if (found.command == nullptr || globals.help) return line;
  rest.insert(rest.end(), split->dashed.begin(), split->dashed.end());
  if (dashes != args.end()) {
    const std::vector<std::string> tail(dashes + 1, args.end());
    if (own.takes_argv()) {
      own.set_argv(tail);
    } else {
      rest.insert(rest.end(), tail.begin(), tail.end());
    }
  }
  if (Status status = check_words(*found.command, own, rest.size()); !status) {
    return usage(status.error().message, status.error().hint);
  }
  own.set_words(std::move(rest));
  return line;
}

}  // namespace distcron::ctl

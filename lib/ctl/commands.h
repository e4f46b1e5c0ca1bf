// SPDX-License-Identifier: Apache-2.0
// The table of commands. Parser, help, completion and the man page test read it; nothing about a
// command is written anywhere else. Plain values.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/context.h"
#include "ctl/flags.h"
#include "ctl/outcome.h"

namespace distcron::ctl {

struct Example {
  std::string_view command;  ///< Without the program's name.
  std::string_view what;
};

struct CommandText {
  std::string_view path;     ///< Words, such as "import crontab".
  std::string_view summary;  ///< One line, imperative, no full stop.
  std::string_view about;    ///< Paragraphs for --help; may be empty.
  std::vector<Example> examples;
};

/// Flags bound to fresh options, and what runs with them.
struct Bound {
  Flags flags;
  std::function<Outcome(Context&)> run;
};

struct CommandSpec {
  CommandText text;
  std::function<Bound()> bind;
  bool is_job_verb = false;  ///< `job VERB` means the same.
  bool is_hidden = false;
  std::optional<Millis> patience;  ///< In place of --request-timeout.
};

/// Makes the row of a command from its options struct and its two functions.
template <class Options>
[[nodiscard]] CommandSpec make_command(CommandText text, void (*add_flags)(Flags&, Options&),
                                       Outcome (*run)(const Options&, Context&)) {
  CommandSpec spec;
  spec.text = std::move(text);
  spec.bind = [add_flags, run] {
    auto options = std::make_shared<Options>();
    Bound bound;
    add_flags(bound.flags, *options);
    bound.run = [options, run](Context& context) { return run(*options, context); };
    return bound;
  };
  return spec;
}

/// All commands, in the order of the manual.
[[nodiscard]] const std::vector<CommandSpec>& all_commands();

/// nullptr when there is none of this path.
[[nodiscard]] const CommandSpec* find_command(std::string_view path);

/// Another name of a command and what it stands for.
struct Alias {
  std::string_view name;
  std::string_view path;
  std::vector<std::string> extra;  ///< Words that it adds, such as --active.
};

[[nodiscard]] const std::vector<Alias>& aliases();

/// First words of all commands, aliases too; and the second words of a group.
[[nodiscard]] std::vector<std::string> first_words();
[[nodiscard]] std::vector<std::string> group_words(std::string_view group);

}  // namespace distcron::ctl

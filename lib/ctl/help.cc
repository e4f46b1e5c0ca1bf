// SPDX-License-Identifier: Apache-2.0
#include "ctl/help.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace distcron::ctl {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kTextColumn = 28;

/// Breaks `text` at blanks; lines after the first begin with `indent` blanks.
std::string wrap(std::string_view text, std::size_t column, std::size_t indent) {
  std::string out;
  std::size_t used = column;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    begin = end + 1;
    if (used > indent && used + 1 + word.size() > kWidth) {
      out += "\n" + std::string(indent, ' ');
      used = indent;
    } else if (!out.empty()) {
      out += ' ';
      ++used;
    }
    out += word;
    used += word.size();
  }
  return out;
}

std::string two_columns(std::string left, std::string_view right) {
  left.insert(0, "  ");
  if (left.size() + 2 > kTextColumn) {
    left += "\n" + std::string(kTextColumn, ' ');
  } else {
    left.resize(kTextColumn, ' ');
  }
  return left + wrap(right, kTextColumn, kTextColumn) + "\n";
}

std::string flag_label(const Flag& flag) {
  std::string label = flag.letter != 0 ? std::string("-") + flag.letter + ", " : "    ";
  label += "--" + flag.name;
  if (!flag.value.empty()) label += " " + flag.value;
  return label;
}

/// Whether the help names all choices already.
bool names_choices(const Flag& flag) {
  return std::all_of(flag.choices.begin(), flag.choices.end(), [&flag](const std::string& choice) {
    return flag.help.find(choice) != std::string::npos;
  });
}

std::string flag_lines(const Flags& flags) {
  std::string text;
  for (const Flag& flag : flags.all()) {
    if (flag.hidden) continue;
    std::string help = flag.help;
    if (!names_choices(flag)) {
      help += ": ";
      for (std::size_t i = 0; i < flag.choices.size(); ++i) {
        help += (i > 0 ? " | " : "") + flag.choices[i];
      }
    }
    if (flag.repeatable) help += " (repeatable)";
    text += two_columns(flag_label(flag), help);
  }
  return text;
}

struct HelpGroup {
  std::string_view title;
  std::vector<std::string_view> commands;
};

const std::array<HelpGroup, 4>& help_groups() {
  static const std::array<HelpGroup, 4> kGroups{{
      {"define jobs", {"add", "edit", "rm", "import crontab"}},
      {"see jobs", {"list", "show", "next", "explain"}},
      {"run and watch", {"run", "logs", "history", "wait", "kill"}},
      {"the cluster", {"cluster status"}},
  }};
  return kGroups;
}

std::string paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += wrap(text.substr(0, end), 0, 0) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

std::string usage_line(const CommandSpec& spec) {
  const Bound bound = spec.bind();
  std::string text = "usage: distcronctl " + std::string(spec.text.path);
  if (!bound.flags.words_text().usage.empty()) {
    text += " " + std::string(bound.flags.words_text().usage);
  }
  if (!bound.flags.all().empty()) text += " [options]";
  if (bound.flags.takes_argv()) text += " [" + std::string(bound.flags.argv_usage()) + "]";
  return text;
}

std::string short_help() {
  std::string text = "distcronctl: talk to the DistCron agent\n\nusage: distcronctl COMMAND ...\n";
  for (const HelpGroup& group : help_groups()) {
    text += "\n" + std::string(group.title) + "\n";
    for (const std::string_view path : group.commands) {
      const CommandSpec* spec = find_command(path);
      if (spec != nullptr) text += two_columns(std::string(path), spec->text.summary);
    }
  }
  text += "\nall commands: distcronctl help    one command: distcronctl help COMMAND\n";
  return text;
}

std::string full_help() {
  std::string text = "usage: distcronctl COMMAND ... [options]\n\nCommands\n";
  for (const CommandSpec& spec : all_commands()) {
    if (!spec.is_hidden) text += two_columns(std::string(spec.text.path), spec.text.summary);
  }
  text += "\nAliases\n";
  for (const Alias& alias : aliases()) {
    std::string meaning(alias.path);
    for (const std::string& word : alias.extra)
      meaning += " " + word;
    text += two_columns(std::string(alias.name), meaning);
  }
  text += two_columns("job VERB", "the same as VERB, for the commands about jobs");
  Globals globals;
  Flags flags;
  add_global_flags(flags, globals);
  text += "\nGlobal options\n" + flag_lines(flags) + "\nTopics: ";
  for (const std::string& topic : help_topics())
    text += topic + " ";
  text += "\nRead one with: distcronctl help TOPIC\n";
  return text;
}

std::string command_help(const CommandSpec& spec) {
  const Bound bound = spec.bind();
  std::string text = "distcronctl " + std::string(spec.text.path) + ": " +
                     std::string(spec.text.summary) + "\n\n" + wrap(usage_line(spec), 0, 7) + "\n";
  if (!spec.text.examples.empty()) text += "\nExamples\n";
  for (const Example& example : spec.text.examples) {
    text += "  # " + std::string(example.what) + "\n  distcronctl " + std::string(example.command) +
            "\n";
  }
  if (!spec.text.about.empty()) text += "\n" + paragraphs(spec.text.about);
  const std::string flags = flag_lines(bound.flags);
  if (!flags.empty()) text += "\nOptions\n" + flags;
  return text + "\nGlobal options: distcronctl help\n";
}

std::string group_help(std::string_view group) {
  std::string text;
  for (const CommandSpec& spec : all_commands()) {
    const bool is_member =
        group == "job" ? spec.is_job_verb : spec.text.path.starts_with(std::string(group) + " ");
    if (is_member && !spec.is_hidden) {
      text += two_columns(std::string(spec.text.path), spec.text.summary);
    }
  }
  return text.empty() ? text : "usage: distcronctl " + std::string(group) + " COMMAND\n\n" + text;
}

}  // namespace distcron::ctl

// SPDX-License-Identifier: Apache-2.0
// completion, which prints the script of a shell, and the hidden __complete that the scripts ask.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cron/zone.h"
#include "ctl/client.h"
#include "ctl/command_list.h"
#include "ctl/completion_scripts.h"
#include "ctl/help.h"
#include "ctl/host.h"
#include "ctl/output.h"
#include "ctl/places.h"

namespace distcron::ctl {
namespace {

constexpr std::int64_t kCacheSeconds = 60;
constexpr unsigned kCacheMode = 0600;

struct ScriptOptions {
  std::vector<std::string> shells;
};

struct CompleteOptions {
  std::string shell;
  std::optional<std::vector<std::string>> words;
};

/// A word and what it means.
using Choice = std::pair<std::string, std::string>;
using Choices = std::vector<Choice>;

void add_script_flags(Flags& flags, ScriptOptions& o) {
  flags.words({"bash|zsh|fish", 1, 1}, o.shells);
}

void add_complete_flags(Flags& flags, CompleteOptions& o) {
  flags.add({"shell", 0, "SHELL", "who asks"}, o.shell);
  flags.argv("-- WORDS...", o.words);
}

Outcome print_script(const ScriptOptions& o, Context& context) {
  const std::optional<std::string_view> script = completion_script(o.shells.front());
  if (!script) return usage("no completion for \"" + o.shells.front() + "\"", "bash, zsh or fish");
  context.out.write(*script);
  return ExitCode::kOk;
}

/// Names of jobs, one per line: fresh from the agent, else as they were at most a minute ago.
std::vector<std::string> job_names(Context& context) {
  const std::string path = cache_dir(context.host) + "/job-names";
  std::string text;
  const auto cached = context.host.read_file(path);
  const auto stamp = cached ? parse_integer(std::string_view(*cached).substr(0, cached->find('\n')))
                            : Result<std::int64_t>(fail(ErrorCode::kNotFound, "no cache"));
  const std::int64_t now = epoch_seconds(context.now);
  if (auto reply = context.client.request<wire::Op::kJobList>({})) {
    text = std::to_string(now) + "\n";
    for (const wire::JobItem& item : reply->items)
      text += item.name + "\n";
    static_cast<void>(context.host.write_file(path, text, kCacheMode).has_value());
  } else if (stamp && now - *stamp <= kCacheSeconds) {
    text = *cached;
  }
  std::vector<std::string> names;
  std::size_t begin = std::min(text.find('\n'), text.size()) + 1;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

void add_jobs(Context& context, Choices& choices) {
  for (std::string& name : job_names(context))
    choices.emplace_back(std::move(name), "job");
}

void add_live_runs(Context& context, Choices& choices) {
  wire::HistoryRequest request;
  request.limit = 20;
  const auto reply = context.client.request<wire::Op::kRunHistory>(request);
  if (!reply) return;
  for (const wire::RunItem& run : reply->items) {
    choices.emplace_back(std::to_string(run.run_id), run.job + " " + run.state);
  }
}

void add_nodes(Context& context, Choices& choices) {
  const auto reply = context.client.request<wire::Op::kNodeList>({});
  if (!reply) return;
  for (const wire::NodeItem& node : reply->items)
    choices.emplace_back(node.name, "node " + node.state);
}

void add_users(Context& context, Choices& choices) {
  const auto text = context.host.read_file("/etc/passwd");
  if (!text) return;
  std::size_t begin = 0;
  while (begin < text->size()) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    const std::string_view line = std::string_view(*text).substr(begin, end - begin);
    choices.emplace_back(std::string(line.substr(0, line.find(':'))), "user");
    begin = end + 1;
  }
}

void add_flag_values(const Flag& flag, Context& context, Choices& choices) {
  for (const std::string& value : flag.choices)
    choices.emplace_back(value, "");
  if (flag.value == "ZONE") {
    for (std::string& name : cron::zone_names())
      choices.emplace_back(std::move(name), "");
  }
  if (flag.value == "USER") add_users(context, choices);
  if (flag.value == "RUN") add_live_runs(context, choices);
  if (flag.value == "NODE") add_nodes(context, choices);
}

void add_words(const CommandSpec& spec, const Flags& flags, Context& context, Choices& choices) {
  const std::string_view text = flags.words_text().usage;
  const bool is_new_name = spec.text.path == "add" || spec.text.path == "key add";
  if (is_new_name) return;
  if (spec.text.path == "help") {
    for (const std::string& topic : help_topics())
      choices.emplace_back(topic, "topic");
    for (const std::string& word : first_words())
      choices.emplace_back(word, "command");
  }
  if (spec.text.path == "completion") {
    for (const char* shell : {"bash", "zsh", "fish"})
      choices.emplace_back(shell, "");
  }
  if (text.find("JOB") != std::string_view::npos ||
      text.find("PATTERN") != std::string_view::npos) {
    add_jobs(context, choices);
  }
  if (text.find("RUN") != std::string_view::npos) add_live_runs(context, choices);
  if (text.find("NODE") != std::string_view::npos) add_nodes(context, choices);
  if (spec.text.path == "node set") {
    for (const char* word :
         {"role=auto", "role=standby", "role=witness", "eligible=true", "eligible=false", "rank="})
      choices.emplace_back(word, "");
  }
}

/// What a line of words, the last of them unfinished, says so far.
struct Situation {
  const CommandSpec* command = nullptr;
  std::string group;
  const Flag* open_flag = nullptr;  ///< Waits for its value, which is the last word.
};

const Flag* flag_of(const Flags& flags, std::string_view word) {
  for (const Flag& flag : flags.all()) {
    if (word == "--" + flag.name) return &flag;
    if (flag.letter != 0 && word.size() == 2 && word[0] == '-' && word[1] == flag.letter) {
      return &flag;
    }
  }
  return nullptr;
}

class Completer {
 public:
  explicit Completer(Context& context) : context_(context) { add_global_flags(globals_, unused_); }

  Choices complete(const std::vector<std::string>& words) {
    const Situation now = read(words);
    Choices choices;
    const std::string last = words.empty() ? "" : words.back();
    if (now.open_flag != nullptr) {
      add_flag_values(*now.open_flag, context_, choices);
    } else if (last.starts_with('-')) {
      add_flags_of(bound_.flags, choices);
      add_flags_of(globals_, choices);
    } else if (now.command != nullptr) {
      add_words(*now.command, bound_.flags, context_, choices);
    } else if (!now.group.empty()) {
      for (const std::string& word : group_words(now.group)) {
        const CommandSpec* spec = find_command(now.group + " " + word);
        if (spec == nullptr) spec = find_command(word);
        choices.emplace_back(word, spec == nullptr ? "" : std::string(spec->text.summary));
      }
    } else {
      for (const std::string& word : first_words()) {
        const CommandSpec* spec = find_command(word);
        choices.emplace_back(word, spec == nullptr ? "" : std::string(spec->text.summary));
      }
    }
    std::erase_if(choices, [&last](const Choice& c) { return !c.first.starts_with(last); });
    return choices;
  }

 private:
  Situation read(const std::vector<std::string>& words) {
    Situation now;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      const std::string& word = words[i];
      if (word.size() > 1 && word[0] == '-') {
        const Flag* flag = flag_of(bound_.flags, word);
        if (flag == nullptr) flag = flag_of(globals_, word);
        if (flag == nullptr || flag->value.empty()) continue;
        if (i + 2 == words.size()) now.open_flag = flag;
        ++i;
      } else if (now.command == nullptr) {
        take_word(word, now);
      }
    }
    return now;
  }

  void take_word(std::string word, Situation& now) {
    for (const Alias& alias : aliases()) {
      if (alias.name == word) word = alias.path;
    }
    if (!now.group.empty() && now.group != "job") word.insert(0, now.group + " ");
    now.command = find_command(word);
    if (now.command != nullptr) {
      bound_ = now.command->bind();
    } else {
      now.group = word;
    }
  }

  static void add_flags_of(const Flags& flags, Choices& choices) {
    for (const Flag& flag : flags.all())
      choices.emplace_back("--" + flag.name, flag.help);
  }

  Context& context_;
  Bound bound_;
  Globals unused_;
  Flags globals_;
};

Outcome complete(const CompleteOptions& o, Context& context) {
  if (!o.words) return ExitCode::kOk;
  Completer completer(context);
  for (const auto& [value, help] : completer.complete(*o.words)) {
    context.out.line(help.empty() ? value : value + "\t" + help);
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec completion_show_command() {
  return make_command<ScriptOptions>(
      {"completion",
       "print the completion script of a shell",
       "Packages install these scripts already.",
       {{"completion bash > ~/.local/share/bash-completion/completions/distcronctl", "for bash"},
        {"completion fish > ~/.config/fish/completions/distcronctl.fish", "for fish"}}},
      add_script_flags, print_script);
}

CommandSpec complete_command() {
  CommandSpec spec = make_command<CompleteOptions>(
      {"__complete", "print what may come next on a command line", "", {}}, add_complete_flags,
      complete);
  spec.patience = Millis(100);
  return spec;
}

}  // namespace distcron::ctl

// SPDX-License-Identifier: Apache-2.0
// The table of commands as JSON, which the man page test compares with the manual.
#include <string>
#include <vector>

#include "ctl/help.h"
#include "ctl/json_text.h"
#include "model/job_spec.h"

namespace distcron::ctl {
namespace {

std::string flags_json(const Flags& flags) {
  std::vector<std::string> items;
  for (const Flag& flag : flags.all()) {
    JsonObject object;
    object.add_text("name", flag.name);
    if (flag.letter != 0) object.add_text("letter", std::string(1, flag.letter));
    object.add_some("value", flag.value);
    object.add_text("help", flag.help);
    object.add_some("field", flag.field);
    if (flag.hidden) object.add_json("hidden", "true");
    if (!flag.choices.empty()) {
      std::vector<std::string> choices;
      for (const std::string& choice : flag.choices)
        choices.push_back(json_quote(choice));
      object.add_json("choices", json_array(choices));
    }
    items.push_back(object.text());
  }
  return json_array(items);
}

}  // namespace

std::string spec_json() {
  std::vector<std::string> commands;
  for (const CommandSpec& spec : all_commands()) {
    if (spec.is_hidden) continue;
    const Bound bound = spec.bind();
    JsonObject object;
    object.add_text("path", spec.text.path);
    object.add_text("summary", spec.text.summary);
    object.add_some("words", bound.flags.words_text().usage);
    object.add_some("argv", bound.flags.argv_usage());
    object.add_some("about", spec.text.about);
    if (spec.is_job_verb) object.add_json("job_verb", "true");
    std::vector<std::string> examples;
    for (const Example& example : spec.text.examples) {
      JsonObject item;
      item.add_text("command", example.command).add_text("what", example.what);
      examples.push_back(item.text());
    }
    object.add_json("examples", json_array(examples));
    object.add_json("flags", flags_json(bound.flags));
    commands.push_back(object.text());
  }
  std::vector<std::string> names;
  for (const Alias& alias : aliases())
    names.push_back(json_quote(alias.name));
  std::vector<std::string> fields;
  const model::JobSpec job;
  model::visit_fields(job, [&fields](const model::Field& field, const auto& member) {
    static_cast<void>(member);
    fields.push_back(json_quote(field.key));
  });
  Globals globals;
  Flags global_flags;
  add_global_flags(global_flags, globals);
  JsonObject root;
  root.add_json("commands", json_array(commands));
  root.add_json("aliases", json_array(names));
  root.add_json("global_flags", flags_json(global_flags));
  root.add_json("job_fields", json_array(fields));
  return root.text() + "\n";
}

}  // namespace distcron::ctl

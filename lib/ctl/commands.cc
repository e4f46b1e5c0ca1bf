// SPDX-License-Identifier: Apache-2.0
#include "ctl/commands.h"

#include <algorithm>
#include <utility>

#include "ctl/command_list.h"

namespace distcron::ctl {
namespace {

CommandSpec job_verb(CommandSpec spec) {
  spec.is_job_verb = true;
  return spec;
}

CommandSpec hidden(CommandSpec spec) {
  spec.is_hidden = true;
  return spec;
}

void add_unique(std::vector<std::string>& words, std::string_view word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.emplace_back(word);
}

/// In the order of the manual: define, see, run, explain, files, nodes, cluster, access, tools.
std::vector<CommandSpec> make_commands() {
  std::vector<CommandSpec> all;
  all.push_back(job_verb(job_add_command()));
  all.push_back(job_verb(job_edit_command()));
  all.push_back(job_verb(job_set_command()));
  all.push_back(job_verb(job_copy_command()));
  all.push_back(job_verb(job_rename_command()));
  all.push_back(job_verb(job_rm_command()));
  all.push_back(job_verb(job_enable_command()));
  all.push_back(job_verb(job_disable_command()));
  all.push_back(job_verb(job_list_command()));
  all.push_back(job_verb(job_show_command()));
  all.push_back(job_verb(run_start_command()));
  all.push_back(job_verb(run_kill_command()));
  all.push_back(job_verb(run_logs_command()));
  all.push_back(job_verb(run_history_command()));
  all.push_back(job_verb(run_wait_command()));
  all.push_back(job_verb(run_rerun_command()));
  all.push_back(job_verb(job_next_command()));
  all.push_back(job_verb(explain_show_command()));
  all.push_back(job_verb(lint_check_command()));
  all.push_back(job_verb(job_versions_command()));
  all.push_back(import_crontab_command());
  all.push_back(export_jobs_command());
  all.push_back(node_list_command());
  all.push_back(node_show_command());
  all.push_back(node_ping_command());
  all.push_back(node_label_command());
  all.push_back(node_set_command());
  all.push_back(node_drain_command());
  all.push_back(node_undrain_command());
  all.push_back(node_join_token_command());
  all.push_back(node_join_command());
  all.push_back(node_leave_command());
  all.push_back(node_remove_command());
  all.push_back(cluster_init_command());
  all.push_back(cluster_status_command());
  all.push_back(cluster_settings_command());
  all.push_back(cluster_events_command());
  all.push_back(cluster_pause_command());
  all.push_back(cluster_resume_command());
  all.push_back(cluster_stepdown_command());
  all.push_back(cluster_backup_command());
  all.push_back(cluster_restore_command());
  all.push_back(cluster_upgrade_command());
  all.push_back(cluster_force_quorum_command());
  all.push_back(lock_list_command());
  all.push_back(lock_show_command());
  all.push_back(lock_release_command());
  all.push_back(access_keygen_command());
  all.push_back(access_key_list_command());
  all.push_back(access_key_add_command());
  all.push_back(access_key_rm_command());
  all.push_back(access_whoami_command());
  all.push_back(access_login_command());
  all.push_back(completion_show_command());
  all.push_back(version_show_command());
  all.push_back(help_show_command());
  all.push_back(hidden(spec_show_command()));
  all.push_back(hidden(complete_command()));
  return all;
}

}  // namespace

const std::vector<CommandSpec>& all_commands() {
  static const std::vector<CommandSpec> kCommands = make_commands();
  return kCommands;
}

const CommandSpec* find_command(std::string_view path) {
  const auto found =
      std::find_if(all_commands().begin(), all_commands().end(),
                   [path](const CommandSpec& spec) { return spec.text.path == path; });
  return found == all_commands().end() ? nullptr : &*found;
}

const std::vector<Alias>& aliases() {
  static const std::vector<Alias> kAliases{{"ls", "list", {}},
                                           {"cat", "show", {}},
                                           {"remove", "rm", {}},
                                           {"ps", "history", {"--active"}},
                                           {"status", "cluster status", {}}};
  return kAliases;
}

std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const CommandSpec& spec : all_commands()) {
    if (!spec.is_hidden) add_unique(words, spec.text.path.substr(0, spec.text.path.find(' ')));
  }
  for (const Alias& alias : aliases())
    add_unique(words, alias.name);
  add_unique(words, "job");
  return words;
}

std::vector<std::string> group_words(std::string_view group) {
  std::vector<std::string> words;
  for (const CommandSpec& spec : all_commands()) {
    if (spec.is_hidden) continue;
    const std::size_t blank = spec.text.path.find(' ');
    if (group == "job") {
      if (spec.is_job_verb) add_unique(words, spec.text.path);
    } else if (blank != std::string_view::npos && spec.text.path.substr(0, blank) == group) {
      add_unique(words, spec.text.path.substr(blank + 1));
    }
  }
  return words;
}

}  // namespace distcron::ctl

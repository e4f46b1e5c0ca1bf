// SPDX-License-Identifier: Apache-2.0
// One maker per command, each defined in the file <noun>_<verb>.cc of its name; commands.cc lists
// them.
#pragma once

#include "ctl/commands.h"

namespace distcron::ctl {

[[nodiscard]] CommandSpec job_add_command();
[[nodiscard]] CommandSpec job_edit_command();
[[nodiscard]] CommandSpec job_set_command();
[[nodiscard]] CommandSpec job_copy_command();
[[nodiscard]] CommandSpec job_rename_command();
[[nodiscard]] CommandSpec job_rm_command();
[[nodiscard]] CommandSpec job_enable_command();
[[nodiscard]] CommandSpec job_disable_command();
[[nodiscard]] CommandSpec job_list_command();
[[nodiscard]] CommandSpec job_show_command();
[[nodiscard]] CommandSpec run_start_command();
[[nodiscard]] CommandSpec run_kill_command();
[[nodiscard]] CommandSpec run_logs_command();
[[nodiscard]] CommandSpec run_history_command();
[[nodiscard]] CommandSpec run_wait_command();
[[nodiscard]] CommandSpec run_rerun_command();
[[nodiscard]] CommandSpec job_next_command();
[[nodiscard]] CommandSpec explain_show_command();
[[nodiscard]] CommandSpec lint_check_command();
[[nodiscard]] CommandSpec job_versions_command();
[[nodiscard]] CommandSpec import_crontab_command();
[[nodiscard]] CommandSpec export_jobs_command();
[[nodiscard]] CommandSpec node_list_command();
[[nodiscard]] CommandSpec node_show_command();
[[nodiscard]] CommandSpec node_ping_command();
[[nodiscard]] CommandSpec node_label_command();
[[nodiscard]] CommandSpec node_set_command();
[[nodiscard]] CommandSpec node_drain_command();
[[nodiscard]] CommandSpec node_undrain_command();
[[nodiscard]] CommandSpec node_join_token_command();
[[nodiscard]] CommandSpec node_join_command();
[[nodiscard]] CommandSpec node_leave_command();
[[nodiscard]] CommandSpec node_remove_command();
[[nodiscard]] CommandSpec cluster_init_command();
[[nodiscard]] CommandSpec cluster_status_command();
[[nodiscard]] CommandSpec cluster_settings_command();
[[nodiscard]] CommandSpec cluster_events_command();
[[nodiscard]] CommandSpec cluster_pause_command();
[[nodiscard]] CommandSpec cluster_resume_command();
[[nodiscard]] CommandSpec cluster_stepdown_command();
[[nodiscard]] CommandSpec cluster_backup_command();
[[nodiscard]] CommandSpec cluster_restore_command();
[[nodiscard]] CommandSpec cluster_upgrade_command();
[[nodiscard]] CommandSpec cluster_force_quorum_command();
[[nodiscard]] CommandSpec lock_list_command();
[[nodiscard]] CommandSpec lock_show_command();
[[nodiscard]] CommandSpec lock_release_command();
[[nodiscard]] CommandSpec access_keygen_command();
[[nodiscard]] CommandSpec access_key_list_command();
[[nodiscard]] CommandSpec access_key_add_command();
[[nodiscard]] CommandSpec access_key_rm_command();
[[nodiscard]] CommandSpec access_whoami_command();
[[nodiscard]] CommandSpec access_login_command();
[[nodiscard]] CommandSpec completion_show_command();
[[nodiscard]] CommandSpec version_show_command();
[[nodiscard]] CommandSpec help_show_command();
[[nodiscard]] CommandSpec spec_show_command();
[[nodiscard]] CommandSpec complete_command();

}  // namespace distcron::ctl

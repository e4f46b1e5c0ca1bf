// SPDX-License-Identifier: Apache-2.0
// From a job's fields to what the executor starts.
#include <algorithm>

#include <sys/resource.h>

#include "agent/host.h"
#include "model/units.h"

namespace distcron::agent {

namespace {

void add_limit(process::SpawnPlan& plan, int resource, const std::optional<std::int64_t>& value) {
  if (value) plan.limits.push_back(process::ResourceLimit{resource, *value, *value});
}

void add_limit(process::SpawnPlan& plan, int resource, const std::optional<model::Bytes>& value) {
  if (value) plan.limits.push_back(process::ResourceLimit{resource, value->count, value->count});
}

/// The variables that every job gets; they win over the job's own.
model::TextMap job_environment(const model::JobSpec& spec, const model::Run& run,
                               const HostFacts& facts) {
  model::TextMap env = spec.env;
  for (const auto& [name, value] : run.extra_env)
    env[name] = value;
  env["DISTCRON_JOB"] = run.job;
  env["DISTCRON_RUN_ID"] = std::to_string(run.run_id);
  env["DISTCRON_SCHEDULED_AT"] = model::format_utc(run.scheduled_at);
  env["DISTCRON_SCHEDULED_EPOCH"] = std::to_string(epoch_seconds(run.scheduled_at));
  env["DISTCRON_ATTEMPT"] = std::to_string(run.attempt);
  env["DISTCRON_NODE"] = facts.node_name;
  if (run.shards > 0) {
    env["DISTCRON_SHARD"] = std::to_string(run.shard);
    env["DISTCRON_SHARDS"] = std::to_string(run.shards);
  }
  if (run.param) env["DISTCRON_PARAM"] = *run.param;
  return env;
}

void set_program(process::SpawnPlan& plan, const model::JobSpec& spec, const model::TextMap& env) {
  if (!spec.argv.empty()) {
    plan.argv = spec.argv;
  } else if (!spec.script.empty()) {
    plan.script = spec.script;
    plan.argv = {spec.name};
  } else {
    const auto shell = env.find("SHELL");
    const bool own_shell = spec.compat != model::Compat::kNative && shell != env.end();
    plan.argv = {own_shell ? shell->second : "/bin/sh", "-c", spec.command};
  }
}

}  // namespace

process::SpawnPlan make_plan(const model::JobSpec& spec, const model::Run& run,
                             const HostFacts& facts) {
  process::SpawnPlan plan;
  plan.run_id = run.run_id;
  plan.attempt = run.attempt;
  const model::TextMap env = job_environment(spec, run, facts);
  set_program(plan, spec, env);
  plan.argv.insert(plan.argv.end(), run.extra_argv.begin(), run.extra_argv.end());
  for (const auto& [name, value] : env)
    plan.env.push_back(name + "=" + value);
  plan.user = facts.is_root ? spec.user : std::string();
  plan.group = spec.group;
  plan.cwd = spec.cwd;
  plan.stdin_path = spec.stdin_file;
  plan.stdin_data = spec.stdin_text;
  add_limit(plan, RLIMIT_NOFILE, spec.limit_nofile);
  add_limit(plan, RLIMIT_NPROC, spec.limit_nproc);
  add_limit(plan, RLIMIT_AS, spec.limit_memory);
  add_limit(plan, RLIMIT_FSIZE, spec.limit_fsize);
  add_limit(plan, RLIMIT_CORE, spec.limit_core);
  if (spec.umask) plan.umask = spec.umask->bits;
  if (spec.nice) plan.nice = *spec.nice;
  plan.timeout_ms = spec.timeout ? spec.timeout->count() : 0;
  plan.kill_grace_ms = spec.kill_grace.count();
  plan.output_max_bytes = spec.output_max_bytes.count;
  if (facts.output_bytes_max > 0) {
    plan.output_max_bytes = std::min(plan.output_max_bytes, facts.output_bytes_max);
  }
  plan.split_output = spec.output_split;
  plan.compat_cron = spec.compat != model::Compat::kNative;
  plan.pam = spec.compat == model::Compat::kDebian || spec.compat == model::Compat::kCronie;
  plan.cronie_env = spec.compat == model::Compat::kCronie;
  plan.no_new_privs = spec.no_new_privs;
  plan.created_elsewhere = !spec.origin_host.empty() && spec.origin_host != facts.node_name;
  plan.orphans =
      spec.orphans == model::Orphans::kKill ? process::Orphans::kKill : process::Orphans::kLeave;
  return plan;
}

}  // namespace distcron::agent

// SPDX-License-Identifier: Apache-2.0
#include "ctl/crontab_source.h"

#include <utility>

#include "ctl/choices.h"
#include "ctl/host.h"
#include "ctl/json_text.h"

namespace distcron::ctl {
namespace {

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Answer<CrontabSource> read_source(const std::string& path, cron::TableKind kind, std::string user,
                                  const cron::CrontabOptions& table, Context& context) {
  CrontabSource source;
  source.path = path;
  source.user = std::move(user);
  source.table = table;
  source.table.kind = kind;
  source.table.owner_is_root = source.user == "root";
  source.table.user_exists = [&host = context.host](std::string_view name) {
    return host.has_user(std::string(name));
  };
  DC_TRY(source.text, context.host.read_file(path));
  return source;
}

}  // namespace

void add_source_flags(Flags& flags, SourceOptions& o) {
  flags.add({"system", 0, "", "system tables, with a user field: /etc/crontab, /etc/cron.d"},
            o.system);
  flags.add({"user", 'u', "USER", "tables of this user; the caller by default"}, o.user);
  flags
      .add({"dialect", 0, "DIALECT", "whose crontab it is; the installed daemon's by default"},
           o.dialect)
      .one_of(crontab_dialect_names());
}

Answer<cron::Dialect> find_dialect(const std::string& name, const Host& host) {
  if (!name.empty()) {
    DC_TRY(const cron::Dialect dialect, cron::parse_dialect(name));
    return dialect;
  }
  if (host.is_readable("/usr/sbin/crond")) return cron::Dialect::kCronie;
  if (host.is_readable("/usr/sbin/cron")) return cron::Dialect::kDebian;
  return usage("whose crontab is it? no cron daemon is installed here",
               "--dialect debian, cronie or supercronic");
}

Answer<std::vector<CrontabSource>> read_sources(const SourceOptions& o, Context& context) {
  if (o.system && !o.user.empty()) return usage("--system and --user exclude each other");
  cron::CrontabOptions table;
  DC_TRY(table.dialect, find_dialect(o.dialect, context.host));
  const std::string user = o.user.empty() ? context.host.user_name() : o.user;
  std::vector<CrontabSource> sources;
  for (const std::string& path : o.files) {
    const cron::TableKind kind = o.system ? cron::TableKind::kSystem : cron::TableKind::kUser;
    DC_TRY(CrontabSource source, read_source(path, kind, o.system ? "" : user, table, context));
    if (!o.system && o.user.empty() &&
        (path == "/etc/crontab" || path.starts_with("/etc/cron.d/"))) {
      context.out.talk(path + " is read as a table of " + user +
                       "; with a user field it needs --system");
    }
    sources.push_back(std::move(source));
  }
  return sources;
}

Answer<std::vector<CrontabSource>> read_local_sources(const std::string& dialect,
                                                      Context& context) {
  cron::CrontabOptions table;
  DC_TRY(table.dialect, find_dialect(dialect, context.host));
  const bool is_cronie = table.dialect == cron::Dialect::kCronie;
  const std::string spool = is_cronie ? "/var/spool/cron" : "/var/spool/cron/crontabs";
  std::vector<CrontabSource> sources;
  const auto add = [&](const std::string& path, cron::TableKind kind, const std::string& user) {
    if (!context.host.is_readable(path)) return;
    auto source = read_source(path, kind, user, table, context);
    if (source) {
      sources.push_back(std::move(*source));
    } else {
      context.out.talk("left out: " + source.error().error.message);
    }
  };
  add("/etc/crontab", cron::TableKind::kSystem, "");
  for (const std::string& name : context.host.list_dir("/etc/cron.d")) {
    if (cron::daemon_reads_name(table.dialect, name)) {
      add("/etc/cron.d/" + name, cron::TableKind::kSystem, "");
    }
  }
  for (const std::string& name : context.host.list_dir(spool)) {
    add(spool + "/" + name, cron::TableKind::kUser, name);
  }
  return sources;
}

cron::LintContext lint_facts(const CrontabSource& source, Context& context) {
  const Host& host = context.host;
  cron::LintContext facts;
  facts.now = context.now;
  facts.zone = cron::Zone::utc();
  if (auto zone = cron::load_zone(host.zone_name())) facts.zone = std::move(*zone);
  facts.user_exists = [&host](std::string_view name) { return host.has_user(std::string(name)); };
  facts.is_executable = [&host](std::string_view path) {
    return host.is_executable(std::string(path));
  };
  if (source.path.starts_with("/etc/cron.d/")) facts.file_name = base_name(source.path);
  facts.has_mta = host.is_executable("/usr/sbin/sendmail");
  return facts;
}

std::string lint_line(const std::string& path, const cron::LintItem& item) {
  return path + ":" + std::to_string(item.line) + ":" + std::to_string(item.column) + ": " +
         std::string(cron::name_of(item.severity)) + " " + item.code + " " + item.message;
}

std::string lint_json(const std::string& path, const cron::LintItem& item) {
  JsonObject object;
  object.add_text("code", item.code);
  object.add_text("severity", cron::name_of(item.severity));
  object.add_some("file", path);
  object.add_json("line", std::to_string(item.line));
  object.add_json("column", std::to_string(item.column));
  object.add_text("message", item.message);
  return object.text();
}

}  // namespace distcron::ctl

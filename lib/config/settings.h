// SPDX-License-Identifier: Apache-2.0
// Settings: what the administrator decides about one agent, and visit_fields, the only list of
// their keys: TOML, environment, --set, --print-config and the man page read it.
// Pure: files and environment come in as texts. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/time.h"
#include "model/job_spec.h"

namespace distcron::config {

/// Who may read /metrics.
enum class MetricsAccess : std::uint8_t { kOff, kLoopback, kToken, kOpen };
enum class LogLevel : std::uint8_t { kTrace, kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kText, kJson };
enum class LogTarget : std::uint8_t { kAuto, kJournal, kStderr };

struct Settings {
  struct Node {
    std::string name;                ///< Empty until resolved: the host's name.
    std::optional<std::int64_t> id;  ///< Unset: assigned by the cluster.
    model::TextMap labels;
  } node;

  struct Mesh {
    model::TextList listen;
    std::string advertise;
    std::string join_token_file;
    Millis heartbeat{100};
    Millis election{1'000};
    Millis suspect_after{3'000};
    Millis dead_after{10'000};
  } mesh;

  struct Control {
    model::TextList listen;
    std::string keys_dir;
  } control;

  struct Crontab {
    bool watch = false;
    cron::Dialect dialect = cron::Dialect::kDebian;
    std::string system_table = "/etc/crontab";
    std::string system_dir = "/etc/cron.d";
    std::string spool_dir = "/var/spool/cron/crontabs";
  } crontab;

  struct Storage {
    std::string dir;
  } storage;

  struct Http {
    model::TextList listen;
    std::string tls_cert_file;
    std::string tls_key_file;
    bool dashboard = true;
    MetricsAccess metrics = MetricsAccess::kLoopback;
  } http;

  struct Exec {
    std::string default_user;
    std::int64_t max_running = 4'096;
    Millis kill_grace{10'000};
  } exec;

  struct Output {
    model::Bytes max_bytes{8LL << 20};
    Millis keep_age{30LL * 86'400'000};
    std::int64_t keep_runs = 200;
    model::Bytes keep_bytes{2LL << 30};
    bool journal = false;
  } output;

  struct Log {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kText;
    LogTarget target = LogTarget::kAuto;
  } log;

  struct Trace {
    std::string otlp_endpoint;
  } trace;

  struct Mail {
    std::string sendmail = "/usr/sbin/sendmail";
  } mail;

  std::string runtime_dir;  ///< No key: follows storage.dir, see resolve_defaults().
};

/// Calls visit(Field, member) for each key, grouped by section.
template <class T, class Visitor>
requires std::is_same_v<std::remove_const_t<T>, Settings>

void visit_fields(T& s, Visitor&& visit) {
  using model::Field;
  visit(Field{"node.name", "name in the cluster; the host's name by default", "NAME"}, s.node.name);
  visit(Field{"node.id",
              "id in the cluster, assigned by default; the lowest live one is preferred "
              "as scheduler",
              "N"},
        s.node.id);
  visit(Field{"node.labels", "labels that selectors of jobs look at", "K=V"}, s.node.labels);
  visit(Field{"mesh.listen", "where other agents reach this one; loopback only by default", "URL"},
        s.mesh.listen);
  visit(
      Field{"mesh.advertise", "address given to other agents; from mesh.listen by default", "URL"},
      s.mesh.advertise);
  visit(Field{"mesh.join_token_file", "how a host joins; ignored once it is a member", "FILE"},
        s.mesh.join_token_file);
  visit(Field{"mesh.heartbeat", "how often the scheduler is heard of", "DUR"}, s.mesh.heartbeat);
  visit(Field{"mesh.election", "a new scheduler is sought after this long without one", "DUR"},
        s.mesh.election);
  visit(Field{"mesh.suspect_after", "silence after which a node is called suspect", "DUR"},
        s.mesh.suspect_after);
  visit(Field{"mesh.dead_after", "silence after which a node is called dead", "DUR"},
        s.mesh.dead_after);
  visit(Field{"control.listen", "where distcronctl connects: ipc:// and tcp:// URLs", "URL"},
        s.control.listen);
  visit(Field{"control.keys_dir", "folder of the key files", "DIR"}, s.control.keys_dir);
  visit(Field{"crontab.watch", "follow the crontab files as cron does", "BOOL"}, s.crontab.watch);
  visit(Field{"crontab.dialect", "whose crontab rules hold: debian, cronie or supercronic",
              "DIALECT"},
        s.crontab.dialect);
  visit(Field{"crontab.system_table", "the system's crontab", "FILE"}, s.crontab.system_table);
  visit(Field{"crontab.system_dir", "folder of further system crontabs", "DIR"},
        s.crontab.system_dir);
  visit(Field{"crontab.spool_dir", "folder of the users' crontabs", "DIR"}, s.crontab.spool_dir);
  visit(Field{"storage.dir", "folder of all that is kept; other defaults follow it", "DIR"},
        s.storage.dir);
  visit(Field{"http.listen", "addresses of web page and API; empty: none", "ADDRESS"},
        s.http.listen);
  visit(Field{"http.tls_cert_file", "certificate; needed on addresses other than loopback", "FILE"},
        s.http.tls_cert_file);
  visit(Field{"http.tls_key_file", "its key", "FILE"}, s.http.tls_key_file);
  visit(Field{"http.dashboard", "serve the web page", "BOOL"}, s.http.dashboard);
  visit(Field{"http.metrics", "who may read /metrics: off, loopback, token or open", "WHO"},
        s.http.metrics);
  visit(
      Field{"exec.default_user", "user of jobs that name none; empty: they must name one", "USER"},
      s.exec.default_user);
  visit(Field{"exec.max_running", "most runs alive on this host", "N"}, s.exec.max_running);
  visit(Field{"exec.kill_grace", "wait between SIGTERM and SIGKILL", "DUR"}, s.exec.kill_grace);
  visit(Field{"output.max_bytes", "output kept per attempt, head and tail", "SIZE"},
        s.output.max_bytes);
  visit(Field{"output.keep.age", "age to which output is kept", "DUR"}, s.output.keep_age);
  visit(Field{"output.keep.runs", "runs per job whose output is kept", "N"}, s.output.keep_runs);
  visit(Field{"output.keep.bytes", "output kept in all", "SIZE"}, s.output.keep_bytes);
  visit(Field{"output.journal", "copy output to the journal", "BOOL"}, s.output.journal);
  visit(Field{"log.level", "trace, debug, info, warning or error", "LEVEL"}, s.log.level);
  visit(Field{"log.format", "text or json", "FORMAT"}, s.log.format);
  visit(Field{"log.target", "auto (the journal under systemd, else stderr), journal or stderr",
              "TARGET"},
        s.log.target);
  visit(Field{"trace.otlp_endpoint", "where traces go, such as http://127.0.0.1:4318", "URL"},
        s.trace.otlp_endpoint);
  visit(Field{"mail.sendmail", "program that sends mail", "FILE"}, s.mail.sendmail);
}

}  // namespace distcron::config

namespace distcron::model {

template <>
struct EnumNames<config::MetricsAccess> {
  static constexpr std::array<std::string_view, 4> kNames{"off", "loopback", "token", "open"};
};

template <>
struct EnumNames<config::LogLevel> {
  static constexpr std::array<std::string_view, 5> kNames{"trace", "debug", "info", "warning",
                                                          "error"};
};

template <>
struct EnumNames<config::LogFormat> {
  static constexpr std::array<std::string_view, 2> kNames{"text", "json"};
};

template <>
struct EnumNames<config::LogTarget> {
  static constexpr std::array<std::string_view, 3> kNames{"auto", "journal", "stderr"};
};

}  // namespace distcron::model

// SPDX-License-Identifier: Apache-2.0
#include "config/settings_check.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "model/job_check.h"
#include "model/units.h"

namespace distcron::config {

namespace {

class Checker {
 public:
  explicit Checker(LoadedSettings& loaded) : loaded_(loaded) {}

  void add(std::string_view key, std::string text, std::string hint = {}) {
    add_setting_problem(loaded_, key, std::move(text), std::move(hint));
  }

  void range(std::string_view key, std::int64_t value, std::int64_t low, std::int64_t high) {
    if (value >= low && value <= high) return;
    add(key, std::to_string(value) + " is not between " + std::to_string(low) + " and " +
                 std::to_string(high));
  }

  void duration(std::string_view key, Millis value, Millis low, Millis high) {
    if (value >= low && value <= high) return;
    add(key, model::format_duration(value) + " is not between " + model::format_duration(low) +
                 " and " + model::format_duration(high));
  }

  void path(std::string_view key, const std::string& value) {
    if (value.empty() || value.front() == '/') return;
    add(key, "\"" + value + "\" is not an absolute path");
  }

  void url(std::string_view key, const std::string& value, bool allow_ipc) {
    const bool is_tcp = value.starts_with("tcp://") && value.rfind(':') > 5;
    const bool is_ipc = value.starts_with("ipc:///");
    if (is_tcp || (is_ipc && allow_ipc)) return;
    add(key, "\"" + value + "\" is no address for it",
        allow_ipc ? "write such as ipc:///run/distcron/control.sock or tcp://0.0.0.0:8472"
                  : "write such as tcp://0.0.0.0:8471");
  }

 private:
  LoadedSettings& loaded_;
};

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("[::1]") ||
         address.starts_with("localhost:");
}

void check_addresses(Checker& check, const Settings& settings) {
  for (const std::string& url : settings.mesh.listen)
    check.url("mesh.listen", url, false);
  if (!settings.mesh.advertise.empty()) {
    check.url("mesh.advertise", settings.mesh.advertise, false);
  }
  for (const std::string& url : settings.control.listen)
    check.url("control.listen", url, true);
  const bool has_tls = !settings.http.tls_cert_file.empty() && !settings.http.tls_key_file.empty();
  for (const std::string& address : settings.http.listen) {
    if (address.find("://") != std::string::npos || address.rfind(':') == std::string::npos) {
      check.add("http.listen", "\"" + address + "\" is not ADDRESS:PORT",
                "write such as 127.0.0.1:8470");
    } else if (!has_tls && !is_loopback(address)) {
      check.add("http.listen", "\"" + address + "\" is not loopback and there is no TLS",
                "set http.tls_cert_file and http.tls_key_file, or listen on 127.0.0.1");
    }
  }
}

}  // namespace

void add_setting_problem(LoadedSettings& loaded, std::string_view key, std::string text,
                         std::string hint) {
  const auto origin = loaded.origins.find(key);
  std::string place = origin == loaded.origins.end() ? "default" : origin->second;
  if (place == "flag") place = "--set";
  if (place == "env") place = "environment";
  loaded.problems.push_back(
      {std::move(place), 0, 0, 0, std::string(key) + ": " + std::move(text), std::move(hint), {}});
}

void check_settings(LoadedSettings& loaded) {
  const Settings settings = loaded.settings;
  Checker check(loaded);
  constexpr Millis kDay{86'400'000};
  if (const std::string& name = settings.node.name; !name.empty()) {
    const Status status = model::check_job_name(name);
    if (!status || name.find('/') != std::string::npos) {
      check.add("node.name", "\"" + name + "\" is no name for a node",
                "letters, digits, '.', '_' and '-'");
    }
  }
  if (settings.node.id) check.range("node.id", *settings.node.id, 1, 1'000'000'000);
  check_addresses(check, settings);
  check.duration("mesh.heartbeat", settings.mesh.heartbeat, Millis{10}, Millis{60'000});
  check.duration("mesh.election", settings.mesh.election, settings.mesh.heartbeat * 3, kDay);
  check.duration("mesh.suspect_after", settings.mesh.suspect_after, settings.mesh.heartbeat, kDay);
  check.duration("mesh.dead_after", settings.mesh.dead_after, settings.mesh.suspect_after, kDay);
  const cron::Dialect dialect = settings.crontab.dialect;
  if (dialect != cron::Dialect::kDebian && dialect != cron::Dialect::kCronie &&
      dialect != cron::Dialect::kSupercronic) {
    check.add("crontab.dialect", "has no crontab files", "one of: debian, cronie, supercronic");
  }
  check.range("exec.max_running", settings.exec.max_running, 1, 1'000'000);
  check.duration("exec.kill_grace", settings.exec.kill_grace, Millis{0}, kDay);
  check.range("output.max_bytes", settings.output.max_bytes.count, 0, 1LL << 40);
  check.duration("output.keep.age", settings.output.keep_age, Millis{0}, kDay * 36'500);
  check.range("output.keep.runs", settings.output.keep_runs, 0, 1'000'000);
  check.range("output.keep.bytes", settings.output.keep_bytes.count, 0, 1LL << 50);
  check.path("mesh.join_token_file", settings.mesh.join_token_file);
  check.path("control.keys_dir", settings.control.keys_dir);
  check.path("crontab.system_table", settings.crontab.system_table);
  check.path("crontab.system_dir", settings.crontab.system_dir);
  check.path("crontab.spool_dir", settings.crontab.spool_dir);
  check.path("storage.dir", settings.storage.dir);
  check.path("http.tls_cert_file", settings.http.tls_cert_file);
  check.path("http.tls_key_file", settings.http.tls_key_file);
  check.path("mail.sendmail", settings.mail.sendmail);
}

}  // namespace distcron::config

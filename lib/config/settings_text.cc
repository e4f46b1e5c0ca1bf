// SPDX-License-Identifier: Apache-2.0
// Settings as text, and the defaults that follow the host (config/load_settings.h).
#include <algorithm>
#include <cstddef>

#include "config/load_settings.h"
#include "config/settings_check.h"
#include "config/toml_write.h"

namespace distcron::config {

namespace {

/// Gives a key its default unless a layer set it.
template <class M>
void set_default(LoadedSettings& loaded, const char* key, M& member, M value) {
  if (loaded.is_set(key)) return;
  member = std::move(value);
}

std::string joined(const std::string& folder, std::string_view name) {
  return folder + (folder.ends_with('/') ? "" : "/") + std::string(name);
}

void default_storage(LoadedSettings& loaded, const HostFacts& facts) {
  std::string dir(kSystemStorageDir);
  if (!facts.is_root && !facts.xdg_state_home.empty()) {
    dir = joined(facts.xdg_state_home, "distcron");
  } else if (!facts.is_root) {
    dir = facts.home.empty() ? std::string() : joined(facts.home, ".local/state/distcron");
  }
  std::string& set = loaded.settings.storage.dir;
  if (set.empty()) loaded.origins.erase("storage.dir");
  while (set.size() > 1 && set.back() == '/')
    set.pop_back();
  const bool is_default = set.empty() || set == dir;
  if (set.empty()) set = dir;

  Settings& settings = loaded.settings;
  if (is_default && facts.is_root) {
    settings.runtime_dir = "/run/distcron";
  } else if (is_default && !facts.xdg_runtime_dir.empty()) {
    settings.runtime_dir = joined(facts.xdg_runtime_dir, "distcron");
  } else {
    settings.runtime_dir = joined(set, "run");
  }
  set_default(
      loaded, "control.keys_dir", settings.control.keys_dir,
      is_default && facts.is_root ? std::string("/etc/distcron/keys") : joined(set, "keys"));
  set_default(loaded, "mesh.listen", settings.mesh.listen,
              {is_default ? "tcp://127.0.0.1:8471" : "tcp://127.0.0.1:*"});
  set_default(loaded, "http.listen", settings.http.listen,
              is_default ? model::TextList{"127.0.0.1:8470"} : model::TextList{});
}

void check_socket_paths(LoadedSettings& loaded) {
  constexpr std::string_view kIpc = "ipc://";
  for (const std::string& url : loaded.settings.control.listen) {
    if (!url.starts_with(kIpc) || url.size() - kIpc.size() <= kSocketPathMax) continue;
    add_setting_problem(loaded, "control.listen",
                        "\"" + url +
                            "\" is too long for a unix socket, of which the path has at most " +
                            std::to_string(kSocketPathMax) + " bytes",
                        "use a shorter storage.dir, or set control.listen");
  }
}

/// Calls handle(section, name, field, member) for each key.
template <class Handle>
void for_each_key(const Settings& settings, const Handle& handle) {
  visit_fields(settings, [&handle](const model::Field& field, const auto& member) {
    const std::size_t dot = field.key.find('.');
    handle(field.key.substr(0, dot), field.key.substr(dot + 1), field, member);
  });
}

/// What stands after the `=`; empty for an optional without value.
template <class M>
std::string value_text(const M& member) {
  return toml_value(member);
}

template <class M>
std::string value_text(const std::optional<M>& member) {
  return member ? toml_value(*member) : std::string();
}

/// A line and its comment in a common column where there is room.
std::string with_comment(std::string line, std::string_view comment) {
  constexpr std::size_t kColumn = 40;
  line.append(line.size() < kColumn ? kColumn - line.size() : 2, ' ');
  return line + "# " + std::string(comment);
}

}  // namespace

void resolve_defaults(LoadedSettings& loaded, const HostFacts& facts) {
  Settings& settings = loaded.settings;
  if (settings.node.name.empty()) {
    loaded.origins.erase("node.name");
    settings.node.name = facts.host_name.empty() ? "localhost" : facts.host_name;
  }
  default_storage(loaded, facts);
  set_default(loaded, "control.listen", settings.control.listen,
              {"ipc://" + joined(settings.runtime_dir, "control.sock")});
  if (!settings.storage.dir.starts_with('/') && !loaded.is_set("storage.dir")) {
    add_setting_problem(loaded, "storage.dir", "there is no home folder to put it into",
                        "set storage.dir");
  }
  check_socket_paths(loaded);
  for (const std::string& key : setting_keys())
    loaded.origins.try_emplace(key, "default");
}

std::string format_settings(const LoadedSettings& loaded, bool show_origin) {
  std::string out;
  std::string last_section;
  for_each_key(loaded.settings, [&](std::string_view section, std::string_view name,
                                    const model::Field& field, const auto& member) {
    const std::string value = value_text(member);
    if (value.empty()) return;
    if (section != last_section) {
      out += (out.empty() ? "[" : "\n[") + std::string(section) + "]\n";
      last_section = section;
    }
    std::string line = std::string(name) + " = " + value;
    if (show_origin) {
      const auto origin = loaded.origins.find(field.key);
      line = with_comment(std::move(line),
                          origin == loaded.origins.end() ? "default" : origin->second);
    }
    out += line + '\n';
  });
  return out;
}

std::vector<std::string> changed_settings(const Settings& before, const Settings& after) {
  std::vector<std::string> values;
  for_each_key(before, [&values](std::string_view, std::string_view, const model::Field&,
                                 const auto& member) { values.push_back(value_text(member)); });
  std::vector<std::string> changed;
  std::size_t index = 0;
  for_each_key(after, [&](std::string_view, std::string_view, const model::Field& field,
                          const auto& member) {
    if (value_text(member) != values[index++]) changed.emplace_back(field.key);
  });
  return changed;
}

std::string format_default_settings() {
  std::string out =
      "# distcrond.toml - settings of one agent. Everything is optional: left alone, it is a\n"
      "# complete cluster of one node. Each key stands here with its default.\n";
  LoadedSettings system;
  HostFacts facts;
  facts.is_root = true;
  resolve_defaults(system, facts);
  system.settings.node.name.clear();
  system.settings.node.id = 1;
  std::string last_section;
  for_each_key(system.settings, [&](std::string_view section, std::string_view name,
                                    const model::Field& field, const auto& member) {
    if (section != last_section) {
      out += "\n[" + std::string(section) + "]\n";
      last_section = section;
    }
    const std::string value = value_text(member);
    const std::string line = '#' + std::string(name) + " = " + value;
    out += with_comment(line, field.help) + '\n';
  });
  return out;
}

}  // namespace distcron::config

// SPDX-License-Identifier: Apache-2.0
#include "agent/config_files.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <unistd.h>

#include "agent/layout.h"

namespace distcron::agent {

namespace {

constexpr const char* kVendorFile = "/usr/lib/distcron/distcrond.toml";
constexpr const char* kSystemFile = "/etc/distcron/distcrond.toml";
constexpr const char* kConfDir = "/etc/distcron/conf.d";

std::string env_text(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

/// False and a problem when a file that must be there cannot be read.
void add_file(const std::string& path, bool must_exist, config::Layers& layers,
              std::vector<config::Problem>& problems) {
  std::ifstream file(path);
  if (!file) {
    const int error = errno;
    if (must_exist || error != ENOENT) {
      config::Problem problem;
      problem.origin = path;
      problem.text = "cannot read " + path + ": " + std::strerror(error);
      problems.push_back(std::move(problem));
    }
    return;
  }
  std::ostringstream text;
  text << file.rdbuf();
  layers.files.push_back(config::Layers::File{path, text.str()});
}

bool is_conf_name(const std::string& name) {
  const std::string suffix = ".toml";
  if (name.size() <= suffix.size() || !name.ends_with(suffix)) return false;
  return std::all_of(name.begin(), name.end() - static_cast<std::ptrdiff_t>(suffix.size()),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

void add_conf_dir(const std::string& dir, config::Layers& layers,
                  std::vector<config::Problem>& problems) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    if (is_conf_name(entry.path().filename().string())) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths)
    add_file(path, true, layers, problems);
}

}  // namespace

config::LoadedSettings read_config(const DaemonArguments& arguments,
                                   const std::string& ephemeral_dir) {
  config::Layers layers;
  std::vector<config::Problem> problems;
  if (ephemeral_dir.empty()) {
    if (!arguments.config_file.empty()) {
      add_file(arguments.config_file, true, layers, problems);
    } else {
      add_file(kVendorFile, false, layers, problems);
      add_file(kSystemFile, false, layers, problems);
      add_conf_dir(arguments.conf_dir.empty() ? kConfDir : arguments.conf_dir, layers, problems);
    }
    for (char** variable = ::environ; *variable != nullptr; ++variable) {
      const std::string text = *variable;
      const std::size_t equals = text.find('=');
      if (equals == std::string::npos) continue;
      layers.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  layers.sets = arguments.sets;
  if (!ephemeral_dir.empty()) layers.sets.push_back("storage.dir=" + ephemeral_dir);
  config::LoadedSettings loaded = config::load_settings(layers);
  loaded.problems.insert(loaded.problems.begin(), problems.begin(), problems.end());
  config::HostFacts facts;
  facts.is_root = is_system_agent();
  facts.host_name = host_name();
  facts.home = env_text("HOME");
  facts.xdg_state_home = env_text("XDG_STATE_HOME");
  facts.xdg_runtime_dir = env_text("XDG_RUNTIME_DIR");
  config::resolve_defaults(loaded, facts);
  return loaded;
}

std::string problem_texts(const config::LoadedSettings& loaded) {
  return config::format_problems(loaded.problems);
}

}  // namespace distcron::agent

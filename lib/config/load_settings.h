// SPDX-License-Identifier: Apache-2.0
// Layers of configuration -> Settings, and back to text. Later layers win: built-in values, files
// in their order, environment, --set. Tables merge, everything else replaces.
// Pure: the caller reads files and environment and says what the host is like.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/problem.h"
#include "config/settings.h"

namespace distcron::config {

struct Layers {
  struct File {
    std::string name;  ///< As people see it in errors and origins.
    std::string text;
  };

  std::vector<File> files;  ///< Lowest first.
  /// The whole environment; names other than DISTCRON_SECTION_KEY with a known section are skipped.
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> sets;  ///< Arguments of --set, "section.key=value".
};

/// Key -> where its value comes from: "FILE:LINE", "env", "flag" or "default". Keys that no layer
/// sets are not in it before resolve_defaults().
using Origins = std::map<std::string, std::string, std::less<>>;

struct LoadedSettings {
  Settings settings;
  Origins origins;
  std::vector<Problem> problems;  ///< All that is wrong; the settings are of use only without.

  /// Whether a layer sets the key.
  [[nodiscard]] bool is_set(std::string_view key) const;
};

/// Reads all layers and checks ranges and forms.
[[nodiscard]] LoadedSettings load_settings(const Layers& layers);

/// What the defaults depend on.
struct HostFacts {
  bool is_root = false;
  std::string host_name;
  std::string home;             ///< $HOME
  std::string xdg_state_home;   ///< $XDG_STATE_HOME, may be empty.
  std::string xdg_runtime_dir;  ///< $XDG_RUNTIME_DIR, may be empty.
};

inline constexpr std::string_view kSystemStorageDir = "/var/lib/distcron";
/// Longest path of a unix socket: sun_path less its NUL.
inline constexpr std::size_t kSocketPathMax = 107;

/// Fills in what follows the host and storage.dir: the default folder goes with the system's
/// runtime and key folders and the default ports; any other folder holds its own `run` and `keys`,
/// has the mesh on a free loopback port and no HTTP. Their origin becomes "default". Adds a problem
/// for a socket path that is too long, or a folder that is no absolute path.
void resolve_defaults(LoadedSettings& loaded, const HostFacts& facts);

/// Effective settings as TOML; with `show_origin`, each line ends in a comment that says where
/// from.
[[nodiscard]] std::string format_settings(const LoadedSettings& loaded, bool show_origin);

/// The keys of which the values differ, in the order of visit_fields.
[[nodiscard]] std::vector<std::string> changed_settings(const Settings& before,
                                                        const Settings& after);

/// The reference file: every key with its help, commented out at its default.
[[nodiscard]] std::string format_default_settings();

/// All keys, in the order of visit_fields.
[[nodiscard]] std::vector<std::string> setting_keys();

}  // namespace distcron::config

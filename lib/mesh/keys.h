// SPDX-License-Identifier: Apache-2.0
// CURVE keys and the files that hold them. A key file is TOML of four lines: name, public_key,
// secret_key, server_key (each key z85, 40 characters). Values; blocking disk calls at start only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace distcron::mesh {

inline constexpr std::size_t kKeyTextBytes = 40;

struct KeyPair {
  std::string public_key;
  std::string secret_key;
};

struct KeyFile {
  std::string name;
  std::string public_key;
  std::string secret_key;
  std::string server_key;
};

/// Fresh and random. kIo when libzmq was built without CURVE.
[[nodiscard]] Result<KeyPair> make_key_pair();

[[nodiscard]] bool is_key_text(std::string_view text);

/// kInvalid names line and key; unknown keys are errors. Pure.
[[nodiscard]] Result<KeyFile> parse_key_file(std::string_view text, const std::string& path);
[[nodiscard]] std::string format_key_file(const KeyFile& key);

/// kNotFound, kDenied (not readable for us), kInvalid.
[[nodiscard]] Result<KeyFile> load_key_file(const std::string& path);
/// Written to a new file, synced and renamed. `group` of -1: left alone.
[[nodiscard]] Status save_key_file(const std::string& path, const KeyFile& key, mode_t mode,
                                   gid_t group);

/// Makes a key file good for another cluster; owner, group and mode stay.
[[nodiscard]] Status change_server_key(const std::string& path, const std::string& server_key);

/// A pair of the agent's own in DIR/NAME.key (0600); made when it is missing.
[[nodiscard]] Result<KeyPair> load_or_make_key(const std::string& dir, const std::string& name);

/// The places where distcronctl looks for a key, first wins (the first that is readable).
struct KeyPlaces {
  std::string option;       ///< --key
  std::string environment;  ///< DISTCRON_KEY
  std::string home;         ///< $HOME
  std::string state_home;   ///< Storage of an agent of this user, with keys/ below.
};

/// kDenied lists the places tried. An explicit option or variable that is unreadable is an error
/// of its own.
[[nodiscard]] Result<std::string> find_key_file(const KeyPlaces& places);

}  // namespace distcron::mesh

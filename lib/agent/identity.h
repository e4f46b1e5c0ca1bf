// SPDX-License-Identifier: Apache-2.0
// Identity: who this agent is in which cluster, in the file member.json of its storage. It lies
// apart from the databases because a host that joins has it before it has any state, and because
// a host whose databases were lost must not come back under its old id. Used at start and when
// the host joins; blocking disk calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/fleet.h"

namespace distcron::agent {

struct Identity {
  std::int64_t node_id = 0;
  std::string cluster_id;
  std::int64_t incarnation = 1;
  bool has_joined = false;  ///< A cluster that others made; false: this agent made it.
  /// Just joined: what databases there are belong to the time before, and are set aside.
  bool starts_empty = false;
  /// An admin has made this member the only one: what it has is the state, whatever others have.
  bool is_forced = false;
  bool is_restored = false;  ///< With is_forced: the state is that of a backup.
  /// Where the mesh listened first, when its port was free to choose: others know it by that.
  std::vector<std::string> mesh_listen;
  /// Where others reach its mesh, as `cluster init` was told; the setting mesh.advertise goes
  /// before.
  std::string mesh_advertise;
  /// Members that it was told of when it joined.
  std::vector<model::Node> members;
};

/// nullopt: never started in `dir`. kCorrupt names the file.
[[nodiscard]] Result<std::optional<Identity>> load_identity(const std::string& dir);
/// Moves databases of an earlier life into a folder of their own below `dir`.
[[nodiscard]] Status set_aside(const std::string& dir, WallTime now);

/// Durable when it returns.
[[nodiscard]] Status save_identity(const std::string& dir, const Identity& identity);

}  // namespace distcron::agent

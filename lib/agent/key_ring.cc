// SPDX-License-Identifier: Apache-2.0
#include "agent/key_ring.h"

#include <cerrno>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace distcron::agent {

namespace {

constexpr gid_t kSameGroup = static_cast<gid_t>(-1);
constexpr mode_t kPublicMode = 0644;

Result<std::string> read_public(const std::string& path) {
  std::ifstream file(path);
  std::string key;
  if (!(file >> key) || !mesh::is_key_text(key)) {
    return fail_hint(ErrorCode::kNotFound, "cannot read the public key in " + path,
                     "distcrond --init-keys, run as root, makes the key files");
  }
  return key;
}

Status write_public(const std::string& path, const std::string& key) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, kPublicMode));
  const std::string text = key + "\n";
  const bool written =
      fd && ::fchmod(fd.get(), kPublicMode) == 0 &&
      ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written) return fail_errno(ErrorCode::kIo, "cannot write " + path, errno);
  return {};
}

/// Public key of one of the two client keys.
Result<std::string> client_key(const std::string& dir, const std::string& name,
                               const std::string& server_key, gid_t group) {
  const std::string path = dir + "/" + name + ".key";
  const std::string public_path = dir + "/" + name + ".pub";
  auto known = mesh::load_key_file(path);
  if (!known && known.error().code == ErrorCode::kDenied) return read_public(public_path);
  if (!known && known.error().code != ErrorCode::kNotFound) return fail(known.error());
  mesh::KeyFile key;
  if (known) {
    key = *known;
  } else {
    DC_TRY(const mesh::KeyPair pair, mesh::make_key_pair());
    key = mesh::KeyFile{name, pair.public_key, pair.secret_key, {}};
  }
  if (key.server_key != server_key) {
    key.server_key = server_key;
    const mode_t mode = group == kSameGroup ? 0600 : 0640;
    DC_CHECK_OK(mesh::save_key_file(path, key, mode, group));
    DC_CHECK_OK(write_public(public_path, key.public_key));
  }
  return key.public_key;
}

}  // namespace

Result<KeyRing> load_or_make_keys(const std::string& dir, const std::optional<AgentUser>& user) {
  KeyRing ring;
  DC_TRY(ring.server, mesh::load_or_make_key(dir, "server"));
  DC_TRY(ring.mesh, mesh::load_or_make_key(dir, "mesh"));
  for (const char* name : {"server", "mesh"}) {
    const std::string path = dir + "/" + name + ".key";
    if (user && ::chown(path.c_str(), user->uid, user->gid) != 0) {
      return fail_errno(ErrorCode::kIo, "cannot give " + path + " to the agent", errno);
    }
  }
  DC_TRY(ring.admin_public_key, client_key(dir, "admin", ring.server.public_key, kSameGroup));
  DC_TRY(ring.operator_public_key,
         client_key(dir, "operator", ring.server.public_key, user ? user->gid : kSameGroup));
  return ring;
}

}  // namespace distcron::agent

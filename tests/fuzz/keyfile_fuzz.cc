// SPDX-License-Identifier: Apache-2.0
// modules: mesh
// Key files: reading never crashes, and a key that was read can be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mesh/keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace mesh = distcron::mesh;
  const auto first = mesh::parse_key_file(std::string(data, data + size), "fuzz.key");
  if (!first || first->name.find_first_of("'\"\n\r\\") != std::string::npos) return 0;
  const auto second = mesh::parse_key_file(mesh::format_key_file(*first), "again.key");
  if (!second || second->name != first->name || second->secret_key != first->secret_key ||
      second->server_key != first->server_key) {
    std::abort();
  }
  return 0;
}

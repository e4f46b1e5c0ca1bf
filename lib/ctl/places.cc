// SPDX-License-Identifier: Apache-2.0
#include "ctl/places.h"

#include "ctl/host.h"

namespace distcron::ctl {
namespace {

std::string xdg_dir(const Host& host, const std::string& variable, const std::string& below_home) {
  const std::string dir = host.env(variable);
  return (dir.empty() ? host.env("HOME") + below_home : dir) + "/distcron";
}

}  // namespace

std::string own_storage(const Host& host) {
  return xdg_dir(host, "XDG_STATE_HOME", "/.local/state");
}

std::string client_key_path(const Host& host) {
  return host.env("HOME") + "/.config/distcron/client.key";
}

std::string cache_dir(const Host& host) {
  return xdg_dir(host, "XDG_CACHE_HOME", "/.cache");
}

AgentPlace find_agent(const Globals& globals, const Host& host) {
  if (!globals.endpoint.empty()) return {globals.endpoint, ""};
  if (std::string endpoint = host.env("DISTCRON_ENDPOINT"); !endpoint.empty()) {
    return {std::move(endpoint), ""};
  }
  if (!host.is_root()) {
    const std::string storage = own_storage(host);
    const std::string runtime = host.env("XDG_RUNTIME_DIR");
    for (const std::string& path : {runtime.empty() ? "" : runtime + "/distcron/control.sock",
                                    storage + "/run/control.sock"}) {
      if (!path.empty() && host.is_socket(path)) return {"ipc://" + path, storage};
    }
  }
  return {"ipc://" + std::string(kSystemSocket), ""};
}

mesh::KeyPlaces key_places(const Context& context) {
  const AgentPlace place = find_agent(context.globals, context.host);
  return {context.globals.key, context.host.env("DISTCRON_KEY"), context.host.env("HOME"),
          place.storage};
}

}  // namespace distcron::ctl

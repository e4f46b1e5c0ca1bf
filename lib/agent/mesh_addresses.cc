// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh_addresses.h"

#include <array>
#include <string_view>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <ifaddrs.h>

namespace distcron::agent {

namespace {

constexpr std::size_t kAddressesMax = 8;

/// Text of an address of an interface that others can use; empty when they cannot.
std::string text_of(const ifaddrs& at, int family) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (at.ifa_addr == nullptr || at.ifa_addr->sa_family != family) return {};
  if ((at.ifa_flags & IFF_LOOPBACK) != 0 || (at.ifa_flags & IFF_UP) == 0) return {};
  if (family == AF_INET) {
    const auto* address = reinterpret_cast<const sockaddr_in*>(at.ifa_addr);
    ::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size());
    return text.data();
  }
  const auto* address = reinterpret_cast<const sockaddr_in6*>(at.ifa_addr);
  if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) return {};
  ::inet_ntop(AF_INET6, &address->sin6_addr, text.data(), text.size());
  return "[" + std::string(text.data()) + "]";
}

void add_interfaces(int family, const std::string& port, std::vector<std::string>& out) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return;
  for (const ifaddrs* at = all; at != nullptr && out.size() < kAddressesMax; at = at->ifa_next) {
    const std::string text = text_of(*at, family);
    if (!text.empty()) out.push_back("tcp://" + text + ":" + port);
  }
  ::freeifaddrs(all);
}

}  // namespace

std::vector<std::string> mesh_addresses(const std::vector<std::string>& endpoints,
                                        const std::string& advertise) {
  if (!advertise.empty()) return {advertise};
  std::vector<std::string> out;
  for (const std::string& endpoint : endpoints) {
    const std::string port = endpoint.substr(endpoint.rfind(':') + 1);
    if (endpoint.starts_with("tcp://0.0.0.0:")) {
      add_interfaces(AF_INET, port, out);
    } else if (endpoint.starts_with("tcp://[::]:")) {
      add_interfaces(AF_INET, port, out);
      add_interfaces(AF_INET6, port, out);
    } else {
      out.push_back(endpoint);
    }
  }
  return out;
}

Result<std::string> advertised_address(std::string_view text,
                                       const std::vector<std::string>& endpoints) {
  constexpr std::string_view kScheme = "tcp://";
  std::string_view host = text;
  if (host.starts_with(kScheme)) host.remove_prefix(kScheme.size());
  // What follows the last colon is the port, unless that colon is inside of [IPv6].
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && host.back() != ']';
  std::string port;
  if (has_port) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  } else if (!endpoints.empty()) {
    port = endpoints.front().substr(endpoints.front().rfind(':') + 1);
  }
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
  const bool is_host = !host.empty() && host != "*" && host != "0.0.0.0" && host != "[::]" &&
                       host.find_first_of(" /@") == std::string_view::npos &&
                       (is_bracketed || host.find(':') == std::string_view::npos);
  const bool is_port = !port.empty() && port.size() <= 5 &&
                       port.find_first_not_of("0123456789") == std::string::npos &&
                       std::stoi(port) > 0 && std::stoi(port) <= 65'535;
  if (!is_host || !is_port) {
    return fail_hint(ErrorCode::kInvalid,
                     "\"" + std::string(text) + "\" is no address that other hosts could use",
                     "write such as 192.0.2.7, 192.0.2.7:8471, [2001:db8::7]:8471 or host.example");
  }
  return std::string(kScheme) + std::string(host) + ":" + port;
}

}  // namespace distcron::agent

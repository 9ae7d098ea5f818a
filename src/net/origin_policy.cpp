#include "net/origin_policy.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

namespace jarip {
namespace {

constexpr std::string_view kLoopbackHosts[] = {"localhost", "127.0.0.1", "[::1]"};

// The host without its port; empty when what follows the host isn't a port.
std::string_view without_port(std::string_view host) {
  const std::size_t bracket = host.starts_with('[') ? host.find(']') : 0;
  if (bracket == std::string_view::npos) return {};
  const std::size_t colon = host.find(':', bracket);
  if (colon == std::string_view::npos) return host;
  const std::string_view port = host.substr(colon + 1);
  if (port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != std::string_view::npos) {
    return {};
  }
  return host.substr(0, colon);
}

// Of IPv4 or, in brackets, of IPv6.
bool is_address(std::string_view name) {
  boost::system::error_code error;
  if (name.starts_with('[') && name.ends_with(']')) {
    boost::asio::ip::make_address_v6(std::string(name.substr(1, name.size() - 2)), error);
  } else {
    boost::asio::ip::make_address_v4(std::string(name), error);
  }
  return !error;
}

}  // namespace

bool is_host_allowed(const OriginPolicy& policy, std::string_view host) {
  const std::string_view name = without_port(host);
  if (name.empty()) return false;
  return std::ranges::find(kLoopbackHosts, name) != std::end(kLoopbackHosts) ||
         std::ranges::find(policy.allowed_hosts, name) != policy.allowed_hosts.end() ||
         (policy.allow_addresses && is_address(name));
}

std::expected<std::string, Refusal> check_origin(const OriginPolicy& policy, Transport transport,
                                                 std::string_view host, const std::string* origin) {
  if (origin == nullptr) return std::string();
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (scheme == "http://" && transport == Transport::kTls) continue;
    if (origin->starts_with(scheme) && std::string_view(*origin).substr(scheme.size()) == host) {
      return std::string();
    }
  }
  if (std::ranges::find(policy.allowed_origins, *origin) != policy.allowed_origins.end()) {
    return *origin;
  }
  return std::unexpected(Refusal{
      403, "pages of this origin may not use this server; --allow-origin adds one that may"});
}

}  // namespace jarip

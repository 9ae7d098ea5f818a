// Which Host and Origin headers are answered. A page of elsewhere must not reach this server
// through the browser of someone who runs it: neither by a name that was made to resolve to
// 127.0.0.1 (DNS rebinding) nor by a request across origins. Values, no thread owns them.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_message.h"

namespace jarip {

struct OriginPolicy {
  // Without port, lower case. The loopback names are always allowed.
  std::vector<std::string> allowed_hosts = {};
  // Any IP address too: no DNS answer makes a page of elsewhere send one as its Host.
  bool allow_addresses = false;
  // "https://chat.example.org", as browsers send them.
  std::vector<std::string> allowed_origins = {};
};

// host: the Host header in lower case.
[[nodiscard]] bool is_host_allowed(const OriginPolicy& policy, std::string_view host);

enum class Transport : std::uint8_t { kPlain, kTls };

// The origin to name in CORS headers: empty for a request without Origin or from our own pages,
// the origin itself when it is on the list, a refusal otherwise. origin may be null. Our own pages
// come over the transport that is used here, or over TLS from a proxy that speaks plain HTTP to us.
[[nodiscard]] std::expected<std::string, Refusal> check_origin(const OriginPolicy& policy,
                                                               Transport transport,
                                                               std::string_view host,
                                                               const std::string* origin);

}  // namespace jarip

// The key that a request shows, wherever clients put it. Pure function.
#pragma once

#include <string>

#include "base/result.h"
#include "net/http_message.h"

namespace jarip {

// From "Authorization: Bearer KEY" or "x-api-key: KEY"; empty when there is neither. Error:
// kUnauthorized when there are two different keys, one header twice, or another scheme. A second
// key must never be the one that some later check looks at.
[[nodiscard]] Result<std::string> presented_key(const Request& request);

}  // namespace jarip

// Bodies of requests as JSON values, with a limit on depth. Pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace jarip {

inline constexpr std::uint32_t kMaxJsonDepth = 128;

// A body that must be one JSON object. Errors: kInvalidArgument.
[[nodiscard]] Result<boost::json::object> parse_json_object(std::string_view body);

// text as a JSON string, quotes included; valid UTF-8.
[[nodiscard]] std::string json_string(std::string_view text);
// The same of any bytes: what isn't UTF-8 becomes U+FFFD.
[[nodiscard]] std::string json_string_of_bytes(std::string_view bytes);

}  // namespace jarip

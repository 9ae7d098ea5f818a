// Response heads as bytes. Pure functions.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "net/http_message.h"

namespace jarip {

enum class Framing : std::uint8_t { kLength, kChunked, kUntilClose };
enum class Persistence : std::uint8_t { kDefault, kClose, kKeepAlive };

// Status line to blank line. kLength announces response.body.size(), but nothing for statuses that
// never have a body. Header values with line ends in them are left out: they would forge headers.
[[nodiscard]] std::string encode_response_head(const Response& response, Framing framing,
                                               Persistence persistence, std::time_t now);

// Whether a response of this status may have a body at all.
[[nodiscard]] bool status_has_body(int status);

// "Sun, 06 Nov 1994 08:49:37 GMT"
[[nodiscard]] std::string http_date(std::time_t time);

}  // namespace jarip

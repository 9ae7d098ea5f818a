// Server-sent events as text (WHATWG HTML, section 9.2). Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace jarip {

inline constexpr std::string_view kSseContentType = "text/event-stream; charset=utf-8";

// A comment that clients skip; keeps idle proxies from closing the connection.
inline constexpr std::string_view kSsePing = ": ping\n\n";

// Appends one event; every line of `data` becomes a data: line of its own. name: the event's, one
// line; empty: none.
void append_sse_event(std::string& out, std::string_view data, std::string_view name = {});

}  // namespace jarip

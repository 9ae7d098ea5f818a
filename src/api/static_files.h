// The page and its files over HTTP: compressed where the client takes it, validated by ETag, under
// a policy that lets a page load nothing from elsewhere. Pure functions.
#pragma once

#include <optional>
#include <span>

#include "api/web_files.h"
#include "net/http_message.h"

namespace jarip {

// "/" is /index.html.
[[nodiscard]] bool has_file(std::span<const WebFile> files, const Request& request);

// The answer to GET or HEAD; nullopt if there is no such file.
[[nodiscard]] std::optional<Response> serve_file(std::span<const WebFile> files,
                                                 const Request& request);

// Whether a client that sent this Accept-Encoding takes gzip (RFC 9110, section 12.5.3).
[[nodiscard]] bool accepts_gzip(const Request& request);

}  // namespace jarip

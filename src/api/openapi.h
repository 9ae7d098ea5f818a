// The OpenAPI 3.1 document at /openapi.json: requests as the field tables that parse them say,
// replies as the writers write them. Pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/error_reply.h"

namespace jarip {

// What the document says of a route.
struct ApiOperation {
  std::string_view method;
  std::string_view path;  // one that ends in '/' stands for a name below it
  std::string_view summary;
  std::string_view request = {};  // a schema's name; empty: there is no body
  std::string_view reply = {};    // a schema's name; empty: plain text
  bool can_stream = false;
  ErrorShape error_shape = ErrorShape::kOpenAi;
};

[[nodiscard]] std::string openapi_json(std::span<const ApiOperation> operations);

}  // namespace jarip

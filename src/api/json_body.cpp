#include "api/json_body.h"

#include <fmt/format.h>

#include <boost/json/parse_options.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>
#include <utility>

#include "base/utf8.h"

namespace jarip {

namespace json = boost::json;

Result<json::object> parse_json_object(std::string_view body) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t n_read = parser.write_some(body.data(), body.size(), error);
  if (!error && n_read < body.size()) error = json::error::extra_data;
  if (!error) parser.finish(error);
  if (error == json::error::too_deep) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the body is nested deeper than {} levels", kMaxJsonDepth));
  }
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the body isn't valid JSON: {} near byte {}", error.message(), n_read));
  }
  json::value value = parser.release();
  auto* object = value.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "the body must be a JSON object");
  }
  return std::move(*object);
}

std::string json_string(std::string_view text) { return json::serialize(text); }

std::string json_string_of_bytes(std::string_view bytes) {
  return json_string(replace_invalid(bytes));
}

}  // namespace jarip

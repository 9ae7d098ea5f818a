#include "app/template_json.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 64;  // and so of the recursion below

TemplateValue value_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return TemplateValue::null();
    case json::kind::bool_:
      return TemplateValue::from(value.get_bool());
    case json::kind::int64:
      return TemplateValue::from(std::int64_t{value.get_int64()});
    case json::kind::uint64:
      return value.get_uint64() <= std::numeric_limits<std::int64_t>::max()
                 ? TemplateValue::from(static_cast<std::int64_t>(value.get_uint64()))
                 : TemplateValue::from(static_cast<double>(value.get_uint64()));
    case json::kind::double_:
      return TemplateValue::from(value.get_double());
    case json::kind::string:
      return TemplateValue::from(std::string_view(value.get_string()));
    case json::kind::array: {
      std::vector<TemplateValue> items;
      for (const json::value& item : value.get_array()) items.push_back(value_of(item));
      return TemplateValue::make_list(std::move(items));
    }
    case json::kind::object: {
      std::vector<std::pair<std::string, TemplateValue>> fields;
      for (const auto& [key, member] : value.get_object()) {
        fields.emplace_back(std::string(key), value_of(member));
      }
      return TemplateValue::make_object(std::move(fields));
    }
  }
  return TemplateValue::null();
}

}  // namespace

Result<TemplateValue> template_value_of_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code error;
  const json::value value = json::parse(text, error, {}, options);
  if (error) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("isn't valid JSON: {}", error.message()));
  }
  return value_of(value);
}

}  // namespace jarip

// Renders many chat templates in one process, for tests/chat_template/*.py. Standard input: a JSON
// object a line, {"template", "context", "now", "trusted"}. Standard output: a line for each,
// either
// {"segments": [[text, from_input], …]} or {"error": {"code", "message", "where"}}.
#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "model/chat_template.h"

namespace jarip {
namespace {

namespace json = boost::json;

TemplateValue value_of(const json::value& source) {
  switch (source.kind()) {
    case json::kind::bool_:
      return TemplateValue::from(source.get_bool());
    case json::kind::int64:
    case json::kind::uint64:
      return TemplateValue::from(source.to_number<std::int64_t>());
    case json::kind::double_:
      return TemplateValue::from(source.get_double());
    case json::kind::string:
      return TemplateValue::from(std::string_view(source.get_string()));
    case json::kind::array: {
      std::vector<TemplateValue> items;
      for (const json::value& item : source.get_array()) items.push_back(value_of(item));
      return TemplateValue::make_list(std::move(items));
    }
    case json::kind::object: {
      std::vector<std::pair<std::string, TemplateValue>> fields;
      for (const auto& [key, field] : source.get_object()) {
        fields.emplace_back(std::string(key), value_of(field));
      }
      return TemplateValue::make_object(std::move(fields));
    }
    case json::kind::null:
      break;
  }
  return TemplateValue::null();
}

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kTooLarge:
      return "too_large";
    default:
      return "other";
  }
}

Result<std::vector<RenderedSegment>> render(const json::object& request) {
  JARIP_TRY(const ChatTemplate compiled,
            ChatTemplate::compile(std::string_view(request.at("template").as_string())));
  std::vector<std::string> trusted;
  for (const json::value& name : request.at("trusted").as_array()) {
    trusted.emplace_back(name.as_string());
  }
  return compiled.render(value_of(request.at("context")), trusted,
                         request.at("now").to_number<std::time_t>());
}

json::object answer(const json::object& request) {
  const auto segments = render(request);
  if (!segments) {
    const Error& error = segments.error();
    return {{"error",
             {{"code", name_of(error.code)}, {"message", error.message}, {"where", error.where}}}};
  }
  json::array list;
  for (const RenderedSegment& segment : *segments) {
    list.push_back(json::array{json::string(segment.text), segment.from_input});
  }
  return {{"segments", std::move(list)}};
}

int dump() {
  json::parse_options options;
  options.max_depth = 1000;
  for (std::string line; std::getline(std::cin, line);) {
    const json::value request = json::parse(line, {}, options);
    const std::string out = json::serialize(answer(request.as_object())) + "\n";
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace jarip

int main() { return jarip::dump(); }

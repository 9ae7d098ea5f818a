#include "api/text_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <utility>

namespace jarip {
namespace {

namespace json = boost::json;

constexpr Field<TextPart> kFields[] = {
    used_field<TextPart>(
        "type", JsonType::kString, {},
        [](const json::value& value, std::string_view, TextPart& part) -> Result<void> {
          part.type = std::string(value.get_string());
          return {};
        })
        .required(),
    used_field<TextPart>(
        "text", JsonType::kString, {},
        [](const json::value& value, std::string_view, TextPart& part) -> Result<void> {
          part.text = std::string(value.get_string());
          return {};
        })
        .required(),
};

// The type is looked at first: of a part that is an image, that is what can't be honoured.
Result<void> check_type(const json::object& part, std::string_view path,
                        std::span<const std::string_view> types) {
  const auto* type = part.if_contains("type");
  if (type == nullptr || !type->is_string()) return {};
  if (std::ranges::find(types, std::string_view(type->get_string())) != types.end()) return {};
  std::string names;
  for (const std::string_view name : types) {
    names += fmt::format("{}\"{}\"", names.empty() ? "" : " or ", name);
  }
  const std::string type_path = join_path(path, "type");
  return fail(ErrorCode::kUnsupported, fmt::format("{} is supported only as {}", type_path, names),
              type_path);
}

}  // namespace

FieldTable<TextPart> text_part_fields() { return kFields; }

Result<std::vector<std::string>> read_text_parts(const json::value& content, std::string_view path,
                                                 const TextPartRules& rules) {
  std::vector<std::string> texts;
  if (const auto* text = content.if_string()) {
    texts.emplace_back(*text);
    return texts;
  }
  const auto* parts = content.if_array();
  if (parts == nullptr || parts->empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be a string or a list of text parts", path),
                std::string(path));
  }
  for (std::size_t i = 0; i < parts->size(); ++i) {
    const std::string part_path = join_path(path, i);
    const auto* object = (*parts)[i].if_object();
    if (object == nullptr) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", part_path),
                  part_path);
    }
    JARIP_CHECK(check_type(*object, part_path, rules.types));
    TextPart part;
    JARIP_CHECK(read_object<TextPart>(*object, {kFields, rules.more}, part_path, part));
    texts.push_back(std::move(part.text));
  }
  return texts;
}

Result<std::string> read_joined_parts(const json::value& content, std::string_view path,
                                      const TextPartRules& rules) {
  JARIP_TRY(const std::vector<std::string> texts, read_text_parts(content, path, rules));
  std::string joined;
  for (const std::string& text : texts) joined += text;
  return joined;
}

}  // namespace jarip

#include "convert/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/mapped_file.h"
#include "base/utf8.h"

namespace jarip {
namespace {

namespace json = boost::json;

// Whole numbers may be written as 1e6 or 10000.0.
std::optional<double> as_number(const json::value& value) {
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  if (value.is_double() && std::isfinite(value.get_double())) return value.get_double();
  return std::nullopt;
}

}  // namespace

const json::value* JsonFields::find(std::string_view key) const {
  const json::value* value = object_->if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<std::optional<std::uint64_t>> JsonFields::count(std::string_view key) const {
  constexpr double kMost = 1e15;
  JARIP_TRY(const std::optional<double> value, number(key));
  if (!value) return std::nullopt;
  if (!(*value >= 0 && *value <= kMost) || *value != std::floor(*value)) {
    return corrupt(key, fmt::format("is {}, which is no count", shown(key)));
  }
  return static_cast<std::uint64_t>(*value);
}

Result<std::optional<double>> JsonFields::number(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto found = as_number(*value)) return found;
  return corrupt(key, fmt::format("is {}, which is no number", shown(key)));
}

Result<std::optional<bool>> JsonFields::flag(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  return corrupt(key, fmt::format("is {}, and neither true nor false", shown(key)));
}

Result<std::optional<std::string_view>> JsonFields::text(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return std::string_view(value->get_string());
  return corrupt(key, fmt::format("is {}, which is no text", shown(key)));
}

Result<std::optional<JsonFields>> JsonFields::fields(std::string_view key) const {
  const json::value* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_object()) {
    return JsonFields(value->get_object(),
                      fmt::format("{}{}{}", where_, where_.contains(": ") ? "." : ": ", key));
  }
  return corrupt(key, fmt::format("is {}, which is no object", shown(key)));
}

Result<std::vector<double>> JsonFields::numbers(std::string_view key) const {
  std::vector<double> out;
  const json::value* value = find(key);
  if (value == nullptr) return out;
  if (!value->is_array()) return corrupt(key, "is no list");
  for (const json::value& element : value->get_array()) {
    const auto number = as_number(element);
    if (!number) return corrupt(key, "has an element that is no number");
    out.push_back(*number);
  }
  return out;
}

std::unexpected<Error> JsonFields::refuse(std::string_view key, std::string_view what) const {
  return fail(ErrorCode::kUnsupported,
              fmt::format("{}{}{} {}", where_, where_.contains(": ") ? "." : ": ", key, what),
              std::string(key));
}

std::unexpected<Error> JsonFields::corrupt(std::string_view key, std::string_view what) const {
  auto error = refuse(key, what);
  error.error().code = ErrorCode::kCorrupt;
  return error;
}

std::string JsonFields::shown(std::string_view key) const {
  constexpr std::size_t kMost = 200;
  const json::value* value = object_->if_contains(key);
  if (value == nullptr) return "absent";
  if (value->is_array() && value->get_array().size() > 100) return "a long list";
  const std::string text = json::serialize(*value);
  return replace_invalid(text.substr(0, kMost)) + (text.size() > kMost ? "…" : "");
}

Result<JsonFile> JsonFile::open(const std::filesystem::path& path) {
  JARIP_TRY(const MappedFile file, MappedFile::open(path));
  return parse({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()},
               path.filename().native());
}

Result<JsonFile> JsonFile::parse(std::string_view text, std::string name) {
  if (text.size() > kMaxBytes) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("{} has {} bytes; {} are read at most", name, text.size(), kMaxBytes),
                name);
  }
  json::parse_options options;
  options.max_depth = kMaxDepth;
  JsonFile file;
  file.name_ = std::move(name);
  boost::system::error_code error;
  file.value_ = json::parse(text, error, {}, options);
  if (error) {
    return fail(ErrorCode::kCorrupt, fmt::format("{} isn't JSON: {}", file.name_, error.message()),
                file.name_);
  }
  return file;
}

Result<JsonFields> JsonFile::fields() const {
  if (value_.is_object()) return JsonFields(value_.get_object(), name_);
  return fail(ErrorCode::kCorrupt, fmt::format("{} isn't an object of JSON", name_), name_);
}

}  // namespace jarip

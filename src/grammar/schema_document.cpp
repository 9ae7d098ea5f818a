#include "grammar/schema_document.h"

#include <fmt/format.h>

#include <boost/json/stream_parser.hpp>
#include <charconv>
#include <optional>

#include "grammar/limits.h"

namespace jarip {
namespace {

namespace json = boost::json;

// ~1 and ~0 of JSON Pointer (RFC 6901), %XX of URI fragments.
std::optional<std::string> unescape(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const std::string_view rest = part.substr(i);
    if (rest[0] == '%') {
      unsigned byte = 0;
      const char* const end = rest.data() + std::min<std::size_t>(rest.size(), 3);
      if (rest.size() < 3 || std::from_chars(rest.data() + 1, end, byte, 16).ptr != end) return {};
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += rest[0];
    }
  }
  std::string decoded;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] != '~') {
      decoded += out[i];
    } else if (++i < out.size() && (out[i] == '0' || out[i] == '1')) {
      decoded += out[i] == '0' ? '~' : '/';
    } else {
      return {};
    }
  }
  return decoded;
}

}  // namespace

std::string join_pointer(std::string_view path, std::string_view key) {
  std::string out(path);
  out += '/';
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

SchemaRef SchemaRef::at(std::string_view key) const {
  return {node->get_object().if_contains(key), join_pointer(path, key)};
}

SchemaRef SchemaRef::at(std::size_t index) const {
  return {&node->get_array()[index], fmt::format("{}/{}", path, index)};
}

std::unexpected<Error> schema_error(ErrorCode code, std::string_view path,
                                    std::string_view message) {
  return fail(code, fmt::format("the JSON schema's {}: {}", path, message), std::string(path));
}

std::unexpected<Error> not_enforced(std::string_view path) {
  return schema_error(ErrorCode::kUnsupported, path,
                      "this can't be enforced exactly; leave it out");
}

Result<SchemaDocument> SchemaDocument::parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxGrammarNesting;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  parser.write(text.data(), text.size(), error);
  if (!error) parser.finish(error);
  if (error == json::error::too_deep) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the JSON schema is nested deeper than {} levels", kMaxGrammarNesting));
  }
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the JSON schema isn't valid JSON: {}", error.message()));
  }
  SchemaDocument document;
  document.root_ = parser.release();
  document.n_bytes_ = text.size();
  return document;
}

Result<SchemaRef> SchemaDocument::resolve(std::string_view reference, std::string_view path) const {
  if (!reference.starts_with("#")) {
    return schema_error(ErrorCode::kUnsupported, path,
                        "only references into the same schema (\"#/…\") can be followed");
  }
  const auto nothing_there = [&] {
    return schema_error(ErrorCode::kInvalidArgument, path,
                        fmt::format("there is nothing at \"{}\"", reference));
  };
  SchemaRef found = root();
  std::string_view rest = reference.substr(1);
  if (!rest.empty() && rest[0] != '/') {
    found = {find_anchor(rest), std::string(reference)};
    if (found.node == nullptr) return nothing_there();
    return found;
  }
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(part.size());
    const std::optional<std::string> key = unescape(part);
    if (!key) return nothing_there();
    std::size_t index = 0;
    const auto* list = found.node->if_array();
    const auto* object = found.node->if_object();
    if (object != nullptr && object->contains(*key)) {
      found = found.at(*key);
    } else if (list != nullptr &&
               std::from_chars(key->data(), key->data() + key->size(), index).ptr ==
                   key->data() + key->size() &&
               !key->empty() && index < list->size()) {
      found = found.at(index);
    } else {
      return nothing_there();
    }
  }
  return found;
}

const json::value* SchemaDocument::find_anchor(std::string_view name) const {
  std::vector<const json::value*> open = {&root_};
  while (!open.empty()) {
    const json::value* const value = open.back();
    open.pop_back();
    if (const auto* list = value->if_array()) {
      for (const json::value& item : *list) open.push_back(&item);
    }
    if (const auto* object = value->if_object()) {
      const json::value* const anchor = object->if_contains("$anchor");
      if (anchor != nullptr && anchor->is_string() && anchor->get_string() == name) return value;
      for (const auto& member : *object) open.push_back(&member.value());
    }
  }
  return nullptr;
}

}  // namespace jarip

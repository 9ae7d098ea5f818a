// Any bytes as a model's answer: taken apart the same way however they are cut, and each call that
// comes out of it has arguments that are a JSON object.
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "app/answer_splitter.h"
#include "app/json_scanner.h"
#include "app/tagged_shapes.h"
#include "base/utf8.h"

namespace jarip {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

CallShape make_shape(std::string_view marker, std::string_view end_marker, bool in_list) {
  CallShape shape;
  shape.marker = marker;
  shape.between = ", ";
  shape.object = CallShape::Object{in_list, "name", "arguments", std::string(end_marker)};
  return shape;
}

CallShape make_marked_shape() {
  CallShape shape;
  shape.marker = "<calls><call>";
  shape.before_name = shape.marker;
  shape.before_arguments = "<sep>";
  shape.between = "</call><call>";
  shape.after = "</call></calls>";
  return shape;
}

// Parts with what belongs together joined.
std::vector<AnswerPart> split(const SplitOptions& options, std::string_view bytes,
                              std::size_t n_bytes) {
  AnswerSplitter splitter(options);
  Utf8Stream characters;
  std::vector<AnswerPart> all;
  const auto take = [&](std::vector<AnswerPart> parts) {
    for (AnswerPart& part : parts) {
      AnswerPart* const last = all.empty() ? nullptr : &all.back();
      if (auto* text = std::get_if<ContentPart>(&part)) {
        require(!text->text.empty() && is_valid_utf8(text->text));
        auto* before = last == nullptr ? nullptr : std::get_if<ContentPart>(last);
        if (before != nullptr) {
          before->text += text->text;
          continue;
        }
      } else if (auto* thought = std::get_if<ReasoningPart>(&part)) {
        require(!thought->text.empty() && is_valid_utf8(thought->text));
        auto* before = last == nullptr ? nullptr : std::get_if<ReasoningPart>(last);
        if (before != nullptr) {
          before->text += thought->text;
          continue;
        }
      } else {
        auto& call = std::get<CallPart>(part);
        require(is_valid_utf8(call.arguments));
        auto* before = last == nullptr ? nullptr : std::get_if<CallPart>(last);
        if (call.name.empty()) {
          require(before != nullptr && before->index == call.index);
          before->arguments += call.arguments;
          continue;
        }
      }
      all.push_back(std::move(part));
    }
  };
  for (std::size_t i = 0; i < bytes.size(); i += n_bytes) {
    characters.feed(bytes.substr(i, n_bytes));
    take(splitter.push(characters.take()));
  }
  take(splitter.push(characters.finish()));
  take(splitter.finish());
  return all;
}

bool same(const AnswerPart& a, const AnswerPart& b) {
  if (a.index() != b.index()) return false;
  if (const auto* text = std::get_if<ContentPart>(&a)) {
    return text->text == std::get<ContentPart>(b).text;
  }
  if (const auto* thought = std::get_if<ReasoningPart>(&a)) {
    return thought->text == std::get<ReasoningPart>(b).text;
  }
  const auto& one = std::get<CallPart>(a);
  const auto& other = std::get<CallPart>(b);
  return one.index == other.index && one.name == other.name && one.arguments == other.arguments;
}

void check(const SplitOptions& options, std::string_view bytes) {
  const std::vector<AnswerPart> whole =
      split(options, bytes, std::max<std::size_t>(1, bytes.size()));
  for (const std::size_t n_bytes : {1, 5}) {
    require(std::ranges::equal(whole, split(options, bytes, n_bytes), same));
  }
  std::uint32_t n_calls = 0;
  for (const AnswerPart& part : whole) {
    const auto* call = std::get_if<CallPart>(&part);
    if (call == nullptr) continue;
    require(call->index == n_calls++ && (call->name == "f" || call->name == "g"));
    if (options.is_constrained) continue;  // what the answer's end cut was given out before
    boost::json::parse_options limits;
    limits.max_depth = JsonScanner::kMaxDepth + 1;  // a value in the object of arguments
    boost::system::error_code error;
    const auto arguments = boost::json::parse(call->arguments, error, {}, limits);
    require(!error && arguments.is_object());
  }
}

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::array<jarip::CallShape, 4> kShapes = {
      jarip::make_shape("<tool_call>", "</tool_call>", false),
      jarip::make_shape("[TOOL_CALLS]", "", true), jarip::make_shape("", "", false),
      jarip::make_marked_shape()};
  static const std::array<jarip::CallShape, 4> kTagged = {
      jarip::tagged_shape("lines").calls, jarip::tagged_shape("pairs").calls,
      jarip::tagged_shape("typed").calls, jarip::tagged_shape("flat").calls};
  static const std::vector<jarip::CallableFunction> kFunctions = {
      {"f", jarip::argument_types(R"({"properties": {"s": {"type": "string"},
          "n": {"type": "integer"}, "b": {"type": ["boolean", "null"]}, "o": {"type": "object"},
          "m": {"type": ["string", "null"]}}})")},
      {"g"}};
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes + 1), size - 1);
  const auto& shapes = (bytes[0] & 64U) != 0 ? kTagged : kShapes;
  jarip::SplitOptions options{.reasoning = {},
                              .begins_in_reasoning = (bytes[0] & 8U) != 0,
                              .shape = (bytes[0] & 32U) != 0 ? nullptr : &shapes[bytes[0] % 4],
                              .functions = kFunctions,
                              .is_constrained = (bytes[0] & 16U) != 0};
  options.is_harmony = (bytes[0] & 128U) != 0;
  if ((bytes[0] & 4U) != 0) options.reasoning = jarip::ReasoningShape{"<think>", "</think>"};
  jarip::check(options, text);
  return 0;
}

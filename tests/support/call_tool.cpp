// What chat templates show of calls, for tests/chat_template/*.py. Standard input: a JSON object a
// line, {"template", "schemas", "answers"}. Standard output: a line for each,
// {"shape": how the template writes calls, "arguments_as_text" and "null_content": how it wants
// them, "answers": the parts of each answer}, where a part is a text or {"name", "arguments"}.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "app/answer_splitter.h"
#include "app/call_shape.h"
#include "model/chat_template.h"

namespace jarip {
namespace {

namespace json = boost::json;

// The marks that tell one form from another, and whether an answer may have several calls.
std::string name_of(const CallShape& shape) {
  if (!shape.from_template) return "none";
  const std::string_view several = shape.between.empty() ? "" : " …";
  if (shape.object) {
    const std::string_view list = shape.object->in_list ? "[" : "";
    return fmt::format("{}{}{{{}, {}}}{}{}", shape.marker, list, shape.object->name_key,
                       shape.object->arguments_key, shape.object->end_marker, several);
  }
  if (!shape.tagged) {
    return fmt::format("{} NAME {} JSON {}{}", shape.marker, without_gaps(shape.before_arguments),
                       without_gaps(shape.after), several);
  }
  return fmt::format("{}{} NAME {} ({} KEY {} VALUE {})… {}{}", shape.marker, shape.behind_marker,
                     without_gaps(shape.before_arguments), without_gaps(shape.tagged->before_key),
                     without_gaps(shape.tagged->before_json),
                     without_gaps(shape.tagged->after_value), without_gaps(shape.after), several);
}

json::array parts_of(const CallShape& shape, const std::vector<CallableFunction>& functions,
                     std::string_view answer) {
  AnswerSplitter splitter({.reasoning = {},
                           .begins_in_reasoning = false,
                           .shape = &shape,
                           .functions = functions,
                           .is_constrained = false});
  std::vector<AnswerPart> parts = splitter.push(answer);
  for (AnswerPart& part : splitter.finish()) parts.push_back(std::move(part));
  json::array out;
  for (const AnswerPart& part : parts) {
    if (const auto* content = std::get_if<ContentPart>(&part)) {
      out.emplace_back(content->text);
    } else if (const auto* call = std::get_if<CallPart>(&part)) {
      out.push_back(json::object{{"name", call->name}, {"arguments", call->arguments}});
    }
  }
  return out;
}

json::object answer(const json::object& request) {
  const auto compiled = ChatTemplate::compile(std::string_view(request.at("template").as_string()));
  if (!compiled) return {{"error", compiled.error().message}};
  const CallShape shape = find_call_shape(*compiled);
  std::vector<CallableFunction> functions;
  for (const auto& [name, schema] : request.at("schemas").as_object()) {
    functions.push_back({name, argument_types(json::serialize(schema))});
  }
  json::array answers;
  for (const json::value& text : request.at("answers").as_array()) {
    answers.push_back(parts_of(shape, functions, std::string_view(text.as_string())));
  }
  return {{"shape", name_of(shape)},
          {"arguments_as_text", shape.arguments_as_text},
          {"null_content", shape.null_content},
          {"answers", std::move(answers)}};
}

int run() {
  for (std::string line; std::getline(std::cin, line);) {
    const json::value request = json::parse(line);
    const std::string out = json::serialize(answer(request.as_object())) + "\n";
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace jarip

int main() { return jarip::run(); }

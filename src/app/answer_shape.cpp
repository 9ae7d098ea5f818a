#include "app/answer_shape.h"

#include <algorithm>
#include <string>
#include <utility>

#include "app/harmony_splitter.h"

namespace jarip {
namespace {

constexpr std::string_view kSystem = "jaripsystemprobe";

TemplateValue message(std::string_view role, std::string_view content) {
  TemplateValue name = TemplateValue::from(role);
  name.trusted = true;
  return TemplateValue::make_object(
      {{"role", std::move(name)}, {"content", TemplateValue::from(content)}});
}

bool takes_system(const ChatTemplate& chat_template) {
  const TemplateValue context = TemplateValue::make_object(
      {{"messages",
        TemplateValue::make_list({message("system", kSystem), message("user", "hello")})},
       {"tools", TemplateValue::null()},
       {"documents", TemplateValue::null()},
       {"add_generation_prompt", TemplateValue::from(true)},
       {"bos_token", TemplateValue::from(std::string_view())},
       {"eos_token", TemplateValue::from(std::string_view())}});
  const auto segments = chat_template.render(context, {"bos_token", "eos_token"}, 0);
  if (!segments) return false;
  std::string text;
  for (const RenderedSegment& segment : *segments) text += segment.text;
  return text.contains(kSystem);
}

// What ends an answer is no part of its calls, even where a template shows it behind calls only.
void drop_end_tokens(std::string& text, const Tokenizer& tokenizer) {
  for (const TokenId id : tokenizer.end_tokens()) {
    const std::size_t begin = text.rfind(tokenizer.token_bytes(id));
    if (begin != std::string::npos) text.resize(begin);
  }
}

}  // namespace

bool AnswerShape::is_marker(TokenId id) const {
  return std::ranges::find(markers, id, &Marker::id) != markers.end();
}

bool AnswerShape::has_word(std::string_view word) const {
  return std::ranges::binary_search(words, word);
}

std::vector<std::string> words_of(std::string_view source) {
  const auto is_of_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  std::vector<std::string> words;
  for (std::size_t i = 0; i < source.size();) {
    const auto* const begin = std::find_if(source.begin() + i, source.end(), is_of_word);
    const auto* const end = std::find_if_not(begin, source.end(), is_of_word);
    if (begin != end) words.emplace_back(begin, end);
    i = static_cast<std::size_t>(end - source.begin());
  }
  std::ranges::sort(words);
  const auto repeated = std::ranges::unique(words);
  words.erase(repeated.begin(), repeated.end());
  return words;
}

AnswerShape find_answer_shape(const ChatTemplate& chat_template, std::string_view source,
                              const Tokenizer& tokenizer) {
  AnswerShape shape{.calls = find_call_shape(chat_template),
                    .reasoning = find_reasoning_shape(source),
                    .is_harmony = source.contains(harmony::kThink),
                    .takes_system = takes_system(chat_template),
                    .markers = {},
                    .words = words_of(source)};
  if (shape.is_harmony) {
    shape.calls.before_name = harmony::kCall;
    shape.calls.before_arguments = harmony::kArguments;
    shape.calls.between.clear();
    shape.calls.after.clear();
  }
  drop_end_tokens(shape.calls.after, tokenizer);
  if (shape.calls.object) drop_end_tokens(shape.calls.object->end_marker, tokenizer);
  std::string text;
  if (shape.is_harmony) text += harmony::kMarks;
  for (const std::string& piece : {shape.calls.before_name, shape.calls.before_arguments,
                                   shape.calls.between, shape.calls.after}) {
    text += piece + "\n";
  }
  if (const auto& tagged = shape.calls.tagged) {
    for (const std::string& piece :
         {tagged->before_key, tagged->before_text, tagged->before_json, tagged->after_value}) {
      text += piece + "\n";
    }
  }
  if (shape.reasoning) {
    text += std::string(shape.reasoning->open) + "\n" + std::string(shape.reasoning->close);
  }
  const std::span<const TokenId> ends = tokenizer.end_tokens();
  for (const TokenId id : tokenizer.encode(text, SpecialTokens::kParse)) {
    const bool ends_answer = std::ranges::find(ends, id) != ends.end();
    if (tokenizer.is_control(id) && !ends_answer && !shape.is_marker(id)) {
      shape.markers.push_back({id, std::string(tokenizer.token_bytes(id))});
    }
  }
  return shape;
}

}  // namespace jarip

#include "app/call_shape.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/call_probes.h"
#include "app/harmony_splitter.h"

namespace jarip {
namespace {

using call_probe::kContent;
using call_probe::kEos;
using call_probe::kIds;
using call_probe::kNames;
using call_probe::kSpace;
using call_probe::Manner;
using call_probe::trim;

constexpr ReasoningShape kReasoningShapes[] = {{"<think>", "</think>"},
                                               {"<thought>", "</thought>"},
                                               {"[THINK]", "[/THINK]"},
                                               {"<|START_THINKING|>", "<|END_THINKING|>"}};

constexpr std::string_view kKey = call_probe::kKeys[0];
constexpr std::string_view kValue = call_probe::kValues[0];

// Moves past white space and the token; false, and nothing moved, if it isn't there.
bool skip(std::string_view& text, std::string_view token) {
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  if (!text.substr(begin).starts_with(token)) return false;
  text.remove_prefix(begin + token.size());
  return true;
}

// A JSON string without escapes; nothing if there is none.
std::optional<std::string> take_string(std::string_view& text) {
  if (!skip(text, "\"")) return std::nullopt;
  const std::size_t end = text.find_first_of("\"\\");
  if (end == std::string_view::npos || text[end] != '"') return std::nullopt;
  std::string out(text.substr(0, end));
  text.remove_prefix(end + 1);
  return out;
}

// --- the shape ---

// The arguments as they were rendered: from { to }.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

std::optional<Span> find_arguments(std::string_view rendered, std::size_t from) {
  const std::size_t key = rendered.find(kKey, from);
  const std::size_t value = rendered.find(kValue, from);
  if (key == std::string_view::npos || value == std::string_view::npos || value < key) return {};
  const std::size_t begin = rendered.rfind('{', key);
  if (begin == std::string_view::npos || begin < from) return {};
  std::string_view rest = rendered.substr(begin);
  const bool is_json = skip(rest, "{") && take_string(rest) == kKey && skip(rest, ":") &&
                       take_string(rest) == kValue && skip(rest, "}");
  if (!is_json) return {};
  return Span{begin, rendered.size() - rest.size()};
}

// A member with a call's id goes: ids are not the model's to make up. False where the id is written
// in another way.
bool drop_id(std::string& piece) {
  for (const std::string_view id : kIds) {
    const std::size_t place = piece.find(id);
    if (place == std::string::npos) continue;
    const std::size_t key_end = piece.rfind('"', place == 0 ? 0 : place - 1);  // opens the id
    if (place < 6 || key_end == std::string::npos || key_end + 1 != place) return false;
    const std::size_t key = piece.rfind("\"id\"", key_end);
    std::size_t end = place + id.size();
    if (key == std::string::npos || end >= piece.size() || piece[end] != '"') return false;
    if (trim(std::string_view(piece).substr(key + 4, key_end - key - 4)) != ":") return false;
    ++end;
    const std::size_t before = piece.find_last_not_of(kSpace, key == 0 ? 0 : key - 1);
    if (key > 0 && before != std::string::npos && piece[before] == ',') {
      piece.erase(before, end - before);
    } else {
      std::string_view rest = std::string_view(piece).substr(end);
      if (!skip(rest, ",")) return false;
      end = piece.size() - rest.size();
      while (end < piece.size() && kSpace.contains(piece[end])) ++end;
      piece.erase(key, end - key);
    }
  }
  return true;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// Where an answer of calls begins: behind the head that it shares with an answer of text, or, where
// the head differs (one of them shows empty reasoning, say), behind the last whole mark they share.
std::size_t find_begin(std::string_view rendered, std::string_view head) {
  if (rendered.starts_with(head)) return head.size();
  std::size_t n = common_prefix(rendered, head);
  while (n > 0 && !std::string_view(" \n>]").contains(rendered[n - 1])) --n;
  return n;
}

// Empty reasoning that a template shows before calls only.
std::string without_reasoning(std::string before_name) {
  for (const ReasoningShape& shape : kReasoningShapes) {
    const std::size_t close = before_name.rfind(shape.close);
    if (close != std::string::npos) before_name.erase(0, close + shape.close.size());
  }
  return before_name;
}

std::size_t common_suffix(std::string_view a, std::string_view b) {
  std::size_t n = 0;
  while (n < a.size() && n < b.size() && a[a.size() - 1 - n] == b[b.size() - 1 - n]) ++n;
  return n;
}

// before_name … after as objects with two members, or nothing.
std::optional<CallShape::Object> find_object(CallShape& shape) {
  CallShape::Object object;
  const std::size_t begin = shape.before_name.rfind('{');
  if (begin == std::string::npos) return std::nullopt;
  std::string_view head = std::string_view(shape.before_name).substr(begin + 1);
  auto name_key = take_string(head);
  // Other members may come first: ids, which the model need not make up.
  for (std::string_view rest = head;
       name_key && skip(rest, ":") && take_string(rest) && skip(rest, ",");) {
    name_key = take_string(rest);
    head = rest;
  }
  if (!name_key || !skip(head, ":") || !skip(head, "\"") || !head.empty()) return std::nullopt;
  std::string_view middle = shape.before_arguments;
  if (!middle.starts_with('"') || !skip(middle, "\"") || !skip(middle, ",")) return std::nullopt;
  const auto arguments_key = take_string(middle);
  if (!arguments_key || !skip(middle, ":") || !trim(middle).empty()) return std::nullopt;
  std::string_view tail = shape.after;
  if (!skip(tail, "}") || trim(tail).starts_with('}')) return std::nullopt;
  std::string_view marker = trim(std::string_view(shape.before_name).substr(0, begin));
  if (marker.ends_with('[')) {
    object.in_list = true;
    marker = trim(marker.substr(0, marker.size() - 1));
    if (!skip(tail, "]")) return std::nullopt;
  }
  object.name_key = *name_key;
  object.arguments_key = *arguments_key;
  object.end_marker = trim(tail);
  shape.marker = marker;
  return object;
}

// Where the answer begins, and what ends every answer, as one with text shows it.
struct Frame {
  std::string head;
  std::string tail;
};

std::string without_tail(std::string text, std::string_view tail) {
  std::size_t begin = text.size() - common_suffix(text, tail);
  // Half a mark is none.
  while (begin < text.size() && !std::string_view("<[ \n").contains(text[begin])) ++begin;
  text.resize(begin);
  text.resize(std::min(text.find(kEos), text.size()));
  return text;
}

std::optional<Frame> find_frame(const ChatTemplate& chat_template) {
  const auto rendered = call_probe::render_content(chat_template);
  if (!rendered) return std::nullopt;
  const std::size_t content = rendered->find(kContent);
  if (content == std::string::npos) return std::nullopt;
  return Frame{rendered->substr(0, content), rendered->substr(content + kContent.size())};
}

// What comes between the arguments and the next name.
std::string find_between(const ChatTemplate& chat_template, const Manner& manner,
                         std::string_view before_arguments) {
  const auto two =
      call_probe::render_calls(chat_template, 2, call_probe::string_arguments(1), manner);
  if (!two) return {};
  const std::size_t first = two->find(kNames[0]);
  const std::size_t second = two->find(kNames[1]);
  if (first == std::string::npos || second == std::string::npos || second < first) return {};
  const auto arguments = find_arguments(*two, first);
  if (!arguments || arguments->end > second) return {};
  const auto next = find_arguments(*two, second);
  const std::size_t name_end = second + kNames[1].size();
  if (!next || two->substr(name_end, next->begin - name_end) != before_arguments) return {};
  std::string between = two->substr(arguments->end, second - arguments->end);
  return drop_id(between) ? between : std::string();
}

std::optional<CallShape> find_shape(const ChatTemplate& chat_template, const Manner& manner,
                                    const Frame& frame) {
  const auto one =
      call_probe::render_calls(chat_template, 1, call_probe::string_arguments(1), manner);
  if (!one) return std::nullopt;
  const std::size_t begin = find_begin(*one, frame.head);
  const std::size_t name = one->find(kNames[0]);
  if (name == std::string::npos || name < begin) return std::nullopt;
  const std::size_t name_end = name + kNames[0].size();
  const auto arguments = find_arguments(*one, name_end);
  if (!arguments) return std::nullopt;
  CallShape shape;
  shape.before_name = without_reasoning(one->substr(begin, name - begin));
  shape.before_arguments = one->substr(name_end, arguments->begin - name_end);
  shape.after = without_tail(one->substr(arguments->end), frame.tail);
  if (!drop_id(shape.before_name) || !drop_id(shape.after)) return std::nullopt;
  for (const std::string& piece : {shape.before_name, shape.before_arguments, shape.after}) {
    for (const std::string_view word :
         {kIds[0], kNames[0], kKey, kValue, std::string_view("None")}) {
      if (piece.contains(word)) return std::nullopt;
    }
  }
  shape.between = find_between(chat_template, manner, shape.before_arguments);
  shape.object = find_object(shape);
  if (!shape.object) shape.marker = trim(shape.before_name);
  if (!shape.object && shape.marker.empty()) return std::nullopt;
  shape.from_template = true;
  shape.arguments_as_text = manner.arguments_as_text;
  shape.null_content = manner.null_content;
  return shape;
}

// --- arguments one by one ---

// Two arguments as they were rendered: where each piece begins and ends.
struct TaggedSpan {
  std::size_t name = 0;
  std::string before_first;  // from the name to the first key
  std::string before_value;  // from a key to its value
  std::string between;       // from a value to the next key
  std::size_t end = 0;       // of the last value
};

std::optional<TaggedSpan> find_tagged_span(std::string_view text, std::string_view name,
                                           std::size_t from) {
  const std::array<std::string_view, 5> words = {name, call_probe::kKeys[0], call_probe::kValues[0],
                                                 call_probe::kKeys[1], call_probe::kValues[1]};
  std::array<std::size_t, 5> begins = {};
  std::array<std::size_t, 5> ends = {};
  for (std::size_t i = 0; i < words.size(); ++i) {
    begins[i] = text.find(words[i], i == 0 ? from : ends[i - 1]);
    if (begins[i] == std::string_view::npos) return std::nullopt;
    ends[i] = begins[i] + words[i].size();
  }
  const auto piece = [&](std::size_t i) {
    return std::string(text.substr(ends[i], begins[i + 1] - ends[i]));
  };
  if (piece(1) != piece(3)) return std::nullopt;
  return TaggedSpan{begins[0], piece(0), piece(1), piece(2), ends[4]};
}

// What is behind a key whose value begins with the text; nothing if the template can't show it.
std::optional<std::string> find_before(const ChatTemplate& chat_template, const Manner& manner,
                                       const call_probe::Arguments& argument,
                                       const std::string& text) {
  const auto one = call_probe::render_calls(chat_template, 1, argument, manner);
  const std::size_t value = one ? one->rfind(text) : std::string::npos;
  const std::size_t key = one ? one->rfind(kKey) : std::string::npos;
  if (value == std::string::npos || key == std::string::npos || value < key) return std::nullopt;
  return one->substr(key + kKey.size(), value - key - kKey.size());
}

// What is behind a key whose value is no string; as of strings, if the template shows none.
// Nothing where it names the type of each value.
std::optional<std::string> find_before_json(const ChatTemplate& chat_template, const Manner& manner,
                                            const std::string& before_text) {
  const std::string number(call_probe::kNumberText);
  const auto of_number = find_before(chat_template, manner, call_probe::number_argument(), number);
  const auto of_list =
      find_before(chat_template, manner, call_probe::list_argument(), "[" + number);
  if (of_number && of_list && *of_number != *of_list) return std::nullopt;
  return of_number ? *of_number : of_list.value_or(before_text);
}

bool is_mark(std::string_view text) {
  text = trim(text);
  return text.size() > 2 && text.starts_with('<') && text.ends_with('>');
}

bool has_word_of_probe(std::string_view piece) {
  for (const std::string_view word :
       {kIds[0], kIds[1], kNames[0], kNames[1], kKey, kValue, call_probe::kKeys[1],
        call_probe::kValues[1], std::string_view("None")}) {
    if (piece.contains(word)) return true;
  }
  return false;
}

// Whether strings that look like marks are shown as XML shows them.
bool has_cdata(const ChatTemplate& chat_template, const Manner& manner) {
  const auto one = call_probe::render_calls(chat_template, 1, call_probe::mark_argument(), manner);
  return one && one->contains(call_probe::kCdata);
}

// From behind the last value of one call to the next one's name.
std::string find_tagged_between(const ChatTemplate& chat_template, const Manner& manner,
                                const TaggedSpan& span, std::string_view close) {
  const auto two =
      call_probe::render_calls(chat_template, 2, call_probe::string_arguments(2), manner);
  if (!two) return {};
  const auto first = find_tagged_span(*two, kNames[0], 0);
  if (!first) return {};
  const auto second = find_tagged_span(*two, kNames[1], first->end);
  if (!second || second->before_first != span.before_first) return {};
  const std::string between = two->substr(first->end, second->name - first->end);
  return between.starts_with(close) ? between.substr(close.size()) : std::string();
}

std::optional<CallShape> find_tagged_shape(const ChatTemplate& chat_template, const Manner& manner,
                                           const Frame& frame) {
  const auto one =
      call_probe::render_calls(chat_template, 1, call_probe::string_arguments(2), manner);
  if (!one) return std::nullopt;
  const std::size_t begin = find_begin(*one, frame.head);
  const auto span = find_tagged_span(*one, kNames[0], begin);
  if (!span) return std::nullopt;
  const std::size_t key = span->before_first.rfind('<');
  if (key == std::string::npos) return std::nullopt;
  CallShape::Tagged tagged;
  tagged.before_key = span->before_first.substr(key);
  if (!span->between.ends_with(tagged.before_key)) return std::nullopt;
  tagged.after_value = span->between.substr(0, span->between.size() - tagged.before_key.size());
  tagged.before_text = span->before_value;
  const auto before_json = find_before_json(chat_template, manner, tagged.before_text);
  if (!before_json) return std::nullopt;
  tagged.before_json = *before_json;
  // White space behind the mark may be between arguments only.
  if (!one->substr(span->end).starts_with(tagged.after_value)) {
    tagged.after_value.resize(tagged.after_value.find_last_not_of(kSpace) + 1);
  }
  if (!is_mark(tagged.after_value) || trim(tagged.before_text).empty() ||
      trim(tagged.before_json).empty() || !one->substr(span->end).starts_with(tagged.after_value)) {
    return std::nullopt;
  }
  CallShape shape;
  shape.before_name = without_reasoning(one->substr(begin, span->name - begin));
  shape.before_arguments = span->before_first.substr(0, key);
  shape.after = without_tail(one->substr(span->end + tagged.after_value.size()), frame.tail);
  shape.between = find_tagged_between(chat_template, manner, *span, tagged.after_value);
  const std::string_view behind = trim(shape.after);
  tagged.call_end = behind.substr(0, behind.find('>') + 1);
  const std::string_view before = trim(shape.before_name);
  const std::size_t marker_end = before.find('>');
  if (!is_mark(tagged.call_end) || !before.starts_with('<')) return std::nullopt;
  shape.marker =
      before.substr(0, marker_end == std::string_view::npos ? before.size() : marker_end + 1);
  shape.behind_marker = trim(before.substr(shape.marker.size()));
  for (const std::string& piece :
       {shape.before_name, shape.before_arguments, shape.between, shape.after, tagged.before_key,
        tagged.before_text, tagged.before_json, tagged.after_value}) {
    if (has_word_of_probe(piece)) return std::nullopt;
  }
  tagged.has_cdata = has_cdata(chat_template, manner);
  shape.tagged = std::move(tagged);
  shape.from_template = true;
  shape.null_content = manner.null_content;
  return shape;
}

CallShape hermes_shape() {
  CallShape shape;
  shape.before_name = "<tool_call>\n{\"name\": \"";
  shape.before_arguments = "\", \"arguments\": ";
  shape.between = "}\n</tool_call>\n<tool_call>\n{\"name\": \"";
  shape.after = "}\n</tool_call>";
  shape.object = CallShape::Object{.in_list = false,
                                   .name_key = "name",
                                   .arguments_key = "arguments",
                                   .end_marker = "</tool_call>"};
  shape.marker = "<tool_call>";
  return shape;
}

}  // namespace

CallShape find_call_shape(const ChatTemplate& chat_template) {
  const auto frame = find_frame(chat_template);
  if (!frame) return hermes_shape();
  for (const bool arguments_as_text : {false, true}) {
    for (const bool null_content : {true, false}) {
      auto shape = find_shape(chat_template, {arguments_as_text, null_content}, *frame);
      if (shape) return *std::move(shape);
    }
  }
  for (const bool null_content : {true, false}) {
    auto shape = find_tagged_shape(chat_template, {false, null_content}, *frame);
    if (shape) return *std::move(shape);
  }
  return hermes_shape();
}

std::optional<ReasoningShape> find_reasoning_shape(std::string_view source) {
  for (const ReasoningShape& shape : kReasoningShapes) {
    if (source.contains(shape.close)) return shape;
  }
  if (source.contains(harmony::kThink)) {
    return ReasoningShape{harmony::kThink, harmony::kEnd, true};
  }
  return std::nullopt;
}

}  // namespace jarip

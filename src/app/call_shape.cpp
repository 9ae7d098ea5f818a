#include "app/call_shape.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace jarip {
namespace {

// Words that no template has.
constexpr std::string_view kUser = "jaripuserprobe";
constexpr std::string_view kContent = "jaripcontentprobe";
constexpr std::array<std::string_view, 2> kNames = {"jaripfirstprobe", "jaripsecondprobe"};
constexpr std::array<std::string_view, 2> kIds = {"jaripid01", "jaripid02"};  // as Mistral's: 9
constexpr std::string_view kKey = "jaripkeyprobe";
constexpr std::string_view kValue = "jaripvalueprobe";
constexpr std::string_view kArguments = R"({"jaripkeyprobe": "jaripvalueprobe"})";
constexpr std::string_view kSpace = " \n\r\t";
constexpr std::string_view kBos = "<bos>";
constexpr std::string_view kEos = "<eos>";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

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

// --- what the probes render ---

struct Manner {
  bool arguments_as_text = false;
  bool null_content = false;
};

TemplateValue text(std::string_view value) { return TemplateValue::from(value); }

TemplateValue parameters() {
  const TemplateValue property =
      TemplateValue::make_object({{"type", text("string")}, {"description", text("")}});
  return TemplateValue::make_object(
      {{"type", text("object")},
       {"properties", TemplateValue::make_object({{std::string(kKey), property}})},
       {"required", TemplateValue::make_list({text(kKey)})}});
}

TemplateValue tools() {
  std::vector<TemplateValue> list;
  for (const std::string_view name : kNames) {
    list.push_back(TemplateValue::make_object(
        {{"type", text("function")},
         {"function",
          TemplateValue::make_object(
              {{"name", text(name)}, {"description", text("")}, {"parameters", parameters()}})}}));
  }
  return TemplateValue::make_list(std::move(list));
}

TemplateValue message(std::string_view role, TemplateValue content) {
  TemplateValue name = text(role);
  name.trusted = true;
  return TemplateValue::make_object({{"role", std::move(name)}, {"content", std::move(content)}});
}

TemplateValue message_with_calls(std::size_t n_calls, const Manner& manner) {
  std::vector<TemplateValue> calls;
  for (std::size_t i = 0; i < n_calls; ++i) {
    TemplateValue arguments = manner.arguments_as_text
                                  ? text(kArguments)
                                  : TemplateValue::make_object({{std::string(kKey), text(kValue)}});
    calls.push_back(TemplateValue::make_object(
        {{"id", text(kIds[i])},
         {"type", text("function")},
         {"function", TemplateValue::make_object(
                          {{"name", text(kNames[i])}, {"arguments", std::move(arguments)}})}}));
  }
  TemplateValue out = message("assistant", manner.null_content ? TemplateValue::null() : text(""));
  out.object.emplace_back("tool_calls", TemplateValue::make_list(std::move(calls)));
  return out;
}

// A user's message and an assistant's; nothing when the template refuses.
std::optional<std::string> render(const ChatTemplate& chat_template, TemplateValue answer) {
  const TemplateValue context = TemplateValue::make_object(
      {{"messages", TemplateValue::make_list({message("user", text(kUser)), std::move(answer)})},
       {"tools", tools()},
       {"documents", TemplateValue::null()},
       {"add_generation_prompt", TemplateValue::from(false)},
       {"bos_token", text(kBos)},
       {"eos_token", text(kEos)}});
  const auto segments = chat_template.render(context, {"bos_token", "eos_token"}, 0);
  if (!segments) return std::nullopt;
  std::string out;
  for (const RenderedSegment& segment : *segments) out += segment.text;
  // Tools may be told of before the user's words or behind, but before the answer.
  const std::size_t user = out.rfind(kUser);
  if (user == std::string::npos) return std::nullopt;
  return out.substr(user + kUser.size());
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
  const auto name_key = take_string(head);
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

std::optional<Frame> find_frame(const ChatTemplate& chat_template) {
  const auto rendered = render(chat_template, message("assistant", text(kContent)));
  if (!rendered) return std::nullopt;
  const std::size_t content = rendered->find(kContent);
  if (content == std::string::npos) return std::nullopt;
  return Frame{rendered->substr(0, content), rendered->substr(content + kContent.size())};
}

// What comes between the arguments and the next name.
std::string find_between(const ChatTemplate& chat_template, const Manner& manner,
                         std::string_view before_arguments) {
  const auto two = render(chat_template, message_with_calls(2, manner));
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
  const auto one = render(chat_template, message_with_calls(1, manner));
  if (!one) return std::nullopt;
  const std::size_t begin = find_begin(*one, frame.head);
  const std::size_t name = one->find(kNames[0]);
  if (name == std::string::npos || name < begin) return std::nullopt;
  const std::size_t name_end = name + kNames[0].size();
  const auto arguments = find_arguments(*one, name_end);
  if (!arguments) return std::nullopt;
  CallShape shape;
  shape.before_name = one->substr(begin, name - begin);
  shape.before_arguments = one->substr(name_end, arguments->begin - name_end);
  shape.after = one->substr(arguments->end);
  shape.after.resize(shape.after.size() - common_suffix(shape.after, frame.tail));
  shape.after.resize(std::min(shape.after.find(kEos), shape.after.size()));
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
  return hermes_shape();
}

std::optional<ReasoningShape> find_reasoning_shape(std::string_view source) {
  static constexpr ReasoningShape kShapes[] = {{"<think>", "</think>"},
                                               {"<thought>", "</thought>"},
                                               {"[THINK]", "[/THINK]"},
                                               {"<|START_THINKING|>", "<|END_THINKING|>"}};
  for (const ReasoningShape& shape : kShapes) {
    if (source.contains(shape.close)) return shape;
  }
  return std::nullopt;
}

}  // namespace jarip

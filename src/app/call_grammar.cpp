#include "app/call_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/harmony_splitter.h"
#include "app/tagged_reader.h"
#include "grammar/schema_text.h"

namespace jarip {
namespace {

constexpr std::string_view kAnyObject = R"({"type":"object"})";
constexpr std::string_view kSpace = " \n\r\t";

using Marker = AnswerShape::Marker;

struct FoundMarker {
  const Marker* marker = nullptr;  // null: none
  std::size_t place = std::string_view::npos;
};

FoundMarker find_marker(std::string_view text, std::span<const Marker> markers) {
  FoundMarker found;
  for (const Marker& marker : markers) {
    const std::size_t place = text.find(marker.name);
    if (place < found.place) found = {&marker, place};
  }
  return found;
}

// Text in which the markers are the control tokens of their names, as the template writes them.
GrammarSource piece(std::string_view text, std::span<const Marker> markers) {
  std::vector<GrammarSource> parts;
  while (!text.empty()) {
    const FoundMarker found = find_marker(text, markers);
    const std::string_view before = text.substr(0, found.place);
    if (!before.empty()) parts.push_back(exact_text(std::string(before)));
    if (found.marker == nullptr) break;
    parts.push_back(control_token(found.marker->id));
    text.remove_prefix(found.place + found.marker->name.size());
  }
  return in_sequence(std::move(parts));
}

// What a text begins with that can be watched for: a control token, or text up to the next one.
std::string_view first_mark(std::string_view text, std::span<const Marker> markers) {
  const FoundMarker found = find_marker(text, markers);
  return found.place == 0 ? std::string_view(found.marker->name) : text.substr(0, found.place);
}

// A mark, also where the model spells out a control token.
std::vector<GrammarSource> ways_to_write(std::string_view mark, std::span<const Marker> markers) {
  std::vector<GrammarSource> ways = {exact_text(std::string(mark))};
  const FoundMarker found = find_marker(mark, markers);
  if (found.place == 0) ways.push_back(control_token(found.marker->id));
  return ways;
}

std::string_view trim_end(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

GrammarSource space(std::uint32_t max) {
  return repeated(one_of({exact_text(" "), exact_text("\n")}), 0, max);
}

// From behind what is there of the first call already.
GrammarSource calls(std::span<const Tool> tools, const ToolChoice& choice, const AnswerShape& shape,
                    std::string_view there) {
  std::vector<GrammarSource> functions;
  for (const Tool& tool : tools) {
    if (choice.kind == ToolChoice::Kind::kNamed && tool.name != choice.name) continue;
    if (!choice.allows(tool.name)) continue;
    const bool is_free = choice.kind == ToolChoice::Kind::kAuto && !tool.is_strict;
    functions.push_back(
        in_sequence({exact_text(tool.name), piece(shape.calls.before_arguments, shape.markers),
                     arguments_grammar(tool, shape, is_free)}));
  }
  const GrammarSource call = one_of(std::move(functions));
  std::string_view begin = shape.calls.before_name;
  begin.remove_prefix(std::min(begin.find_first_not_of(kSpace), begin.size()));
  begin.remove_prefix(there.size());
  const std::string_view end = trim_end(shape.calls.after);
  std::vector<GrammarSource> parts = {piece(begin, shape.markers), call};
  if (choice.kind != ToolChoice::Kind::kNamed && choice.is_parallel &&
      !shape.calls.between.empty()) {
    parts.push_back(repeated(in_sequence({piece(shape.calls.between, shape.markers), call}), 0,
                             kMaxConstrainedCalls - 1));
  }
  parts.push_back(piece(end, shape.markers));
  return in_sequence(std::move(parts));
}

// A name between marks must not look like one, nor like the white space around it.
Result<void> check_names(const Tool& tool) {
  for (const auto& [name, types] : argument_types(tool.parameters).types) {
    if (!name.empty() && name.size() <= TaggedReader::kMaxKeyBytes &&
        name.find_first_of("<>\"\n\r\t ") == std::string::npos) {
      continue;
    }
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: this model writes arguments between marks, where \"{}\" can't be "
                            "the name of one",
                            tool.field, name),
                tool.field);
  }
  return {};
}

// The choice is the model's: text, or calls that match.
GrammarSource free_answer(std::span<const Tool> tools, const ToolChoice& choice,
                          const AnswerShape& shape, const std::optional<GrammarSource>& form) {
  if (form) return one_of({*form, calls(tools, choice, shape, {})});
  const std::string_view mark = shape.calls.marker.empty()
                                    ? std::string_view()
                                    : first_mark(shape.calls.marker, shape.markers);
  if (!mark.empty()) {
    const std::vector<GrammarSource> marks = ways_to_write(mark, shape.markers);
    return one_of(
        {text_without(marks), in_sequence({text_until(marks), calls(tools, choice, shape, mark)})});
  }
  // Without a mark a call can be told from text only by how the answer begins.
  const GrammarSource other{GrammarKind::kRegex, "[^ \\n\\r\\t\\[{][\\s\\S]*", {}, 0, 0};
  return in_sequence({space(8), one_of({calls(tools, choice, shape, {}), other, exact_text("")})});
}

// One message of the answer proper, behind one of reasoning or none. Reasoning that comes later,
// and words before a call, are left out.
GrammarSource harmony_answer(std::span<const Tool> tools, const ToolChoice& choice,
                             const AnswerShape& shape, const std::optional<GrammarSource>& form) {
  const bool may_call = !tools.empty() && choice.kind != ToolChoice::Kind::kNone;
  const auto marks = [&](std::string_view text) { return piece(text, shape.markers); };
  std::vector<GrammarSource> answers;
  if (may_call) answers.push_back(calls(tools, choice, shape, {}));
  if (!may_call || choice.kind == ToolChoice::Kind::kAuto) {
    const GrammarSource any = text_without(ways_to_write(harmony::kEnd, shape.markers));
    answers.push_back(in_sequence({marks(harmony::kSay), form ? *form : any}));
  }
  const GrammarSource thought =
      in_sequence({marks(harmony::kThink), text_until(ways_to_write(harmony::kEnd, shape.markers)),
                   marks(harmony::kNext)});
  return in_sequence({repeated(thought, 0, 1), one_of(std::move(answers))});
}

}  // namespace

GrammarSource arguments_grammar(const Tool& tool, const AnswerShape& shape, bool is_free) {
  if (!shape.calls.tagged) {
    return json_schema(is_free ? std::string(kAnyObject) : tool.parameters);
  }
  const CallShape::Tagged& tagged = *shape.calls.tagged;
  const std::string_view after = tagged.after_value;
  const std::size_t space = std::min(after.find_first_not_of(kSpace), after.size());
  const std::string_view mark = first_mark(after.substr(space), shape.markers);
  return tagged_members(tool.parameters,
                        {.before_key = piece(tagged.before_key, shape.markers),
                         .before_text = piece(tagged.before_text, shape.markers),
                         .before_json = piece(tagged.before_json, shape.markers),
                         .space = std::string(after.substr(0, space)),
                         .closes = ways_to_write(trim_end(mark), shape.markers),
                         .rest = piece(after.substr(space + trim_end(mark).size()), shape.markers)},
                        is_free);
}

Result<std::optional<GrammarSource>> call_grammar(std::span<const Tool> tools,
                                                  const ToolChoice& choice,
                                                  const AnswerShape& shape, bool in_reasoning,
                                                  const std::optional<GrammarSource>& form) {
  const bool may_call = !tools.empty() && choice.kind != ToolChoice::Kind::kNone;
  const bool is_free = choice.kind == ToolChoice::Kind::kAuto;
  const bool is_held = may_call && (!is_free || !choice.allowed.empty() ||
                                    std::ranges::any_of(tools, &Tool::is_strict));
  if (!form && !is_held) return std::nullopt;
  for (const Tool& tool : tools) {
    if (may_call && shape.calls.tagged) JARIP_CHECK(check_names(tool));
  }
  if (shape.is_harmony) return harmony_answer(tools, choice, shape, form);
  GrammarSource answer = !may_call ? *form
                         : is_free ? free_answer(tools, choice, shape, form)
                                   : calls(tools, choice, shape, {});
  if (!shape.reasoning) return answer;
  std::vector<GrammarSource> thought = {
      text_until(ways_to_write(shape.reasoning->close, shape.markers)), space(4), answer};
  if (in_reasoning) return in_sequence(std::move(thought));
  thought.insert(thought.begin(), one_of(ways_to_write(shape.reasoning->open, shape.markers)));
  return one_of({in_sequence(std::move(thought)), std::move(answer)});
}

}  // namespace jarip

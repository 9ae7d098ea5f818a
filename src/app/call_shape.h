// How a model writes calls of functions and its reasoning, found out of its chat template: a call
// with known words in it is rendered, and what stands around the words is the shape. Values, made
// once a model.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/chat_template.h"

namespace jarip {

// A call, or several, from an answer's point of view:
//   before_name NAME before_arguments ARGUMENTS [between NAME before_arguments ARGUMENTS]… after
struct CallShape {
  std::string before_name;
  std::string before_arguments;
  std::string between;  // from arguments to the next name; empty: an answer has one call at most
  std::string after;

  // Calls that are JSON objects are read as such, because models vary their white space and the
  // order of members: marker, [ where they lie in a list, objects, ] and end_marker.
  struct Object {
    bool in_list = false;
    std::string name_key;
    std::string arguments_key;
    std::string end_marker;  // without the white space around it; may be empty
  };
  std::optional<Object> object;

  // Arguments that aren't one JSON object but are written one by one, strings as they are:
  //   before_key KEY before_text STRING after_value      or
  //   before_key KEY before_json JSON after_value
  struct Tagged {
    std::string before_key;
    std::string before_text;
    std::string before_json;
    std::string after_value;
    std::string call_end;    // the mark behind the last of them, with which `after` begins
    bool has_cdata = false;  // strings that look like marks lie between <![CDATA[ and ]]>
  };
  std::optional<Tagged> tagged;
  // What tells a call from text, without the white space around it. Empty: calls are all of an
  // answer, which then begins with {.
  std::string marker;
  std::string behind_marker;  // what comes between it and the name, without white space around it

  // How the template wants what it renders.
  bool from_template = false;  // else it knows no calls: they are told and shown to it as text
  bool arguments_as_text = false;
  bool null_content = false;  // of an assistant that only calls
};

// What text stands around the reasoning that comes before an answer.
struct ReasoningShape {
  std::string_view open;
  std::string_view close;
  bool repeats = false;  // there may be more of it behind other text
};

// The shape that the template shows, or else the one that most models have seen, Hermes':
//   <tool_call>\n{"name": NAME, "arguments": ARGUMENTS}\n</tool_call>
[[nodiscard]] CallShape find_call_shape(const ChatTemplate& chat_template);

// The pair of marks that the source of a template names, if any.
[[nodiscard]] std::optional<ReasoningShape> find_reasoning_shape(std::string_view source);

}  // namespace jarip

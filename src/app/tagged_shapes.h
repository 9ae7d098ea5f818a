// For tests: shapes of calls whose arguments are written one by one, in the manner of models that
// are in use.
#pragma once

#include <string_view>

#include "app/answer_shape.h"

namespace jarip {

// "lines": values on lines of their own; "pairs": names and values apart, with control tokens;
// "typed": the mark tells strings from the rest; "flat": a call's mark has the name in it.
inline AnswerShape tagged_shape(std::string_view name) {
  AnswerShape out;
  CallShape& calls = out.calls;
  if (name == "lines") {
    calls.before_name = "<tool_call>\n<function=";
    calls.before_arguments = ">\n";
    calls.between = "</function>\n</tool_call>\n<tool_call>\n<function=";
    calls.after = "</function>\n</tool_call>";
    calls.marker = "<tool_call>";
    calls.behind_marker = "<function=";
    calls.tagged = {"<parameter=", ">\n", ">\n", "\n</parameter>\n", "</function>"};
  } else if (name == "pairs") {
    calls.before_name = "<tool_call>";
    calls.before_arguments = "\n";
    calls.between = "</tool_call>\n<tool_call>";
    calls.after = "</tool_call>";
    calls.marker = "<tool_call>";
    calls.tagged = {"<arg_key>", "</arg_key>\n<arg_value>", "</arg_key>\n<arg_value>",
                    "</arg_value>\n", "</tool_call>"};
    out.markers = {{304, "<tool_call>"}, {305, "</tool_call>"}, {306, "<arg_key>"},
                   {307, "</arg_key>"},  {308, "<arg_value>"},  {309, "</arg_value>"}};
  } else if (name == "typed") {
    calls.before_name = "<|calls>\n<|invoke name=\"";
    calls.before_arguments = "\">\n";
    calls.between = "</|invoke>\n<|invoke name=\"";
    calls.after = "</|invoke>\n</|calls>";
    calls.marker = "<|calls>";
    calls.behind_marker = "<|invoke name=\"";
    calls.tagged = {"<|parameter name=\"", "\" string=\"true\">", "\" string=\"false\">",
                    "</|parameter>\n", "</|invoke>"};
  } else {
    calls.before_name = "<function name=\"";
    calls.before_arguments = "\">";
    calls.between = "</function>\n<function name=\"";
    calls.after = "</function>";
    calls.marker = "<function name=\"";
    calls.tagged = {"<param name=\"", "\">", "\">", "</param>", "</function>"};
  }
  return out;
}

}  // namespace jarip

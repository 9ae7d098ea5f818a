#include "app/tool_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <string_view>
#include <utility>

namespace jarip {
namespace {

std::string quote(std::string_view text) { return boost::json::serialize(text); }

std::string instructions(std::span<const Tool> tools) {
  std::string out =
      "You can call functions. These are the functions, one a line, each with the JSON schema of "
      "its arguments:\n<tools>\n";
  for (const Tool& tool : tools) out += tool_json(tool) + "\n";
  out +=
      "</tools>\n"
      "To call a function, write its name and arguments as JSON between these tags:\n"
      "<tool_call>\n{\"name\": \"<name>\", \"arguments\": {<arguments>}}\n</tool_call>\n"
      "For several calls write several such blocks. The results come back between "
      "<tool_response> and </tool_response>. Call a function only when it helps to answer.";
  return out;
}

Message with_calls(const Message& message) {
  Message out{message.role, message.content};
  out.reasoning = message.reasoning;
  for (const ToolCall& call : message.calls) {
    if (!out.content.empty()) out.content += '\n';
    out.content += fmt::format("<tool_call>\n{{\"name\": {}, \"arguments\": {}}}\n</tool_call>",
                               quote(call.name), call.arguments);
  }
  return out;
}

void add_instructions(std::vector<Message>& messages, std::string text, bool takes_system) {
  const bool has_system = !messages.empty() && messages.front().role == Role::kSystem;
  const auto user = std::ranges::find(messages, Role::kUser, &Message::role);
  if (has_system) {
    messages.front().content += "\n\n" + text;
  } else if (takes_system || user == messages.end()) {
    messages.insert(messages.begin(), Message{Role::kSystem, std::move(text)});
  } else {
    user->content = text + "\n\n" + user->content;
  }
}

}  // namespace

std::string tool_json(const Tool& tool) {
  return fmt::format(
      R"({{"type": "function", "function": {{"name": {}, "description": {}, "parameters": {}}}}})",
      quote(tool.name), quote(tool.description), tool.parameters);
}

std::vector<Message> write_out_tools(std::span<const Message> messages, std::span<const Tool> tools,
                                     bool takes_system) {
  std::vector<Message> out;
  bool last_is_result = false;
  for (const Message& message : messages) {
    if (message.role != Role::kTool) {
      out.push_back(with_calls(message));
    } else {
      const std::string text =
          fmt::format("<tool_response>\n{}\n</tool_response>", message.content);
      // Templates want user and assistant to take turns.
      if (last_is_result) {
        out.back().content += "\n" + text;
      } else {
        out.push_back({Role::kUser, text});
      }
    }
    last_is_result = message.role == Role::kTool;
  }
  if (!tools.empty()) add_instructions(out, instructions(tools), takes_system);
  return out;
}

}  // namespace jarip

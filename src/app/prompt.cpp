#include "app/prompt.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "app/call_ids.h"
#include "app/template_json.h"
#include "app/tool_text.h"
#include "base/utf8.h"

namespace jarip {
namespace {

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "user";
}

TemplateValue text_value(std::string_view text) { return TemplateValue::from(text); }

Result<TemplateValue> call_value(const ToolCall& call, const CallShape& shape) {
  TemplateValue arguments = text_value(call.arguments);
  if (!shape.arguments_as_text) {
    JARIP_TRY(arguments, template_value_of_json(call.arguments));
  }
  return TemplateValue::make_object(
      {{"id", text_value(short_call_id(call.id))},
       {"type", text_value("function")},
       {"function", TemplateValue::make_object(
                        {{"name", text_value(call.name)}, {"arguments", std::move(arguments)}})}});
}

std::string_view name_of_call(std::span<const Message> messages, std::string_view id) {
  for (const Message& message : messages) {
    const auto call = std::ranges::find(message.calls, id, &ToolCall::id);
    if (call != message.calls.end()) return call->name;
  }
  return {};
}

// all: for the names of the functions that results come from.
Result<TemplateValue> message_value(const Message& message, std::span<const Message> all,
                                    const AnswerShape* shape) {
  // One of four words of ours, so a template may build a control token of it: '<|' + role + '|>'.
  TemplateValue role = text_value(name_of(message.role));
  role.trusted = true;
  const bool only_calls = message.content.empty() && !message.calls.empty();
  TemplateValue out = TemplateValue::make_object(
      {{"role", std::move(role)},
       {"content", only_calls && shape != nullptr && shape->calls.null_content
                       ? TemplateValue::null()
                       : text_value(message.content)}});
  if (!message.reasoning.empty()) {
    const bool is_harmony = shape != nullptr && shape->is_harmony;
    // Harmony's template takes reasoning before calls only, and then no other words beside it.
    if (!is_harmony) {
      out.object.emplace_back("reasoning_content", text_value(message.reasoning));
    } else if (only_calls) {
      out.object.emplace_back("thinking", text_value(message.reasoning));
    }
  }
  if (!message.calls.empty() && shape != nullptr) {
    std::vector<TemplateValue> calls;
    for (const ToolCall& call : message.calls) {
      JARIP_TRY(TemplateValue value, call_value(call, shape->calls));
      calls.push_back(std::move(value));
    }
    out.object.emplace_back("tool_calls", TemplateValue::make_list(std::move(calls)));
  }
  if (message.role == Role::kTool) {
    out.object.emplace_back("tool_call_id", text_value(short_call_id(message.call_id)));
    const std::string_view name = name_of_call(all, message.call_id);
    if (!name.empty()) out.object.emplace_back("name", text_value(name));
  }
  return out;
}

Result<TemplateValue> tools_value(std::span<const Tool> tools) {
  if (tools.empty()) return TemplateValue::null();
  std::vector<TemplateValue> list;
  for (const Tool& tool : tools) {
    JARIP_TRY(TemplateValue value, template_value_of_json(tool_json(tool)));
    list.push_back(std::move(value));
  }
  return TemplateValue::make_list(std::move(list));
}

Result<TemplateValue> context_of(std::span<const Message> messages, const PromptTools& tools,
                                 const Tokenizer& tokenizer, const TemplateVariables& variables) {
  std::vector<TemplateValue> list;
  for (const Message& message : messages) {
    JARIP_TRY(TemplateValue value, message_value(message, messages, tools.shape));
    list.push_back(std::move(value));
  }
  // What Hugging Face's apply_chat_template gives a template, which is what templates expect.
  std::vector<std::pair<std::string, TemplateValue>> fields;
  fields.emplace_back("messages", TemplateValue::make_list(std::move(list)));
  JARIP_TRY(TemplateValue tool_list, tools_value(tools.tools));
  fields.emplace_back("tools", std::move(tool_list));
  fields.emplace_back("documents", TemplateValue::null());
  fields.emplace_back("add_generation_prompt", TemplateValue::from(true));
  if (const auto bos = tokenizer.bos()) {
    fields.emplace_back("bos_token", TemplateValue::from(tokenizer.token_bytes(*bos)));
  }
  if (const auto eos = tokenizer.eos()) {
    fields.emplace_back("eos_token", TemplateValue::from(tokenizer.token_bytes(*eos)));
  }
  fields.insert(fields.end(), variables.begin(), variables.end());
  return TemplateValue::make_object(std::move(fields));
}

// A message of the harmony format has one call, and its result behind it.
std::vector<Message> one_call_each(std::span<const Message> messages) {
  std::vector<Message> out;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    out.push_back(message);
    if (message.calls.size() < 2) continue;
    const auto* const end =
        std::find_if_not(messages.data() + i + 1, messages.data() + messages.size(),
                         [](const Message& next) { return next.role == Role::kTool; });
    const std::span<const Message> results(messages.data() + i + 1, end);
    for (const ToolCall& call : message.calls) {
      if (&call != message.calls.data()) out.push_back({Role::kAssistant, {}});
      out.back().calls = {call};
      std::ranges::copy_if(results, std::back_inserter(out),
                           [&](const Message& result) { return result.call_id == call.id; });
    }
    std::ranges::copy_if(results, std::back_inserter(out), [&](const Message& result) {
      return std::ranges::find(message.calls, result.call_id, &ToolCall::id) == message.calls.end();
    });
    i += results.size();
  }
  return out;
}

bool has_several_calls(const Message& message) { return message.calls.size() > 1; }

bool has_to_do_with_tools(const Message& message) {
  return message.role == Role::kTool || !message.calls.empty();
}

}  // namespace

void ensure_bos(std::vector<TokenId>& tokens, const Tokenizer& tokenizer) {
  const auto bos = tokenizer.bos();
  if (!tokenizer.add_bos() || !bos || (!tokens.empty() && tokens.front() == *bos)) return;
  tokens.insert(tokens.begin(), *bos);
}

Result<std::vector<RenderedSegment>> render_messages(std::span<const Message> messages,
                                                     bool continues_last,
                                                     const ChatTemplate& chat_template,
                                                     const Tokenizer& tokenizer, std::time_t now,
                                                     const PromptTools& tools,
                                                     const TemplateVariables& variables) {
  std::span<const Message> rendered =
      continues_last && !messages.empty() ? messages.first(messages.size() - 1) : messages;
  if (rendered.empty()) {
    return fail(ErrorCode::kInvalidArgument, "there are no messages to answer", "messages");
  }
  std::vector<Message> written;
  PromptTools told = tools;
  if (tools.shape != nullptr && !tools.shape->calls.from_template &&
      (!tools.tools.empty() || std::ranges::any_of(rendered, has_to_do_with_tools))) {
    written = write_out_tools(rendered, tools.tools, tools.shape->takes_system);
    rendered = written;
    told.tools = {};
  } else if (tools.shape != nullptr && tools.shape->is_harmony &&
             std::ranges::any_of(rendered, has_several_calls)) {
    written = one_call_each(rendered);
    rendered = written;
  }
  JARIP_TRY(const TemplateValue context, context_of(rendered, told, tokenizer, variables));
  JARIP_TRY(auto segments, chat_template.render(context, {"bos_token", "eos_token"}, now));
  if (continues_last) segments.push_back({messages.back().content, true});
  return segments;
}

Result<std::vector<TokenId>> encode_messages(std::span<const Message> messages, bool continues_last,
                                             const ChatTemplate& chat_template,
                                             const Tokenizer& tokenizer, std::time_t now,
                                             const PromptTools& tools) {
  JARIP_TRY(const auto segments,
            render_messages(messages, continues_last, chat_template, tokenizer, now, tools));
  std::vector<TokenId> tokens = encode_segments(segments, tokenizer);
  ensure_bos(tokens, tokenizer);
  return tokens;
}

bool ends_with_mark(std::span<const RenderedSegment> segments, std::string_view mark) {
  if (segments.empty() || segments.back().from_input) return false;
  std::string_view text = segments.back().text;
  text = text.substr(0, text.find_last_not_of(" \n\r\t") + 1);
  return text.ends_with(mark);
}

std::vector<TokenId> encode_segments(std::span<const RenderedSegment> segments,
                                     const Tokenizer& tokenizer) {
  std::vector<TokenId> tokens;
  std::string text;  // since the last control token
  const auto encode_so_far = [&] {
    const std::vector<TokenId> part = tokenizer.encode(text, SpecialTokens::kAsText);
    tokens.insert(tokens.end(), part.begin(), part.end());
    text.clear();
  };
  for (const RenderedSegment& segment : segments) {
    if (segment.from_input) {
      text += segment.text;
      continue;
    }
    for (const Tokenizer::Part& part : tokenizer.split_control(segment.text)) {
      text += part.text;
      if (!part.control) continue;
      encode_so_far();
      tokens.push_back(*part.control);
    }
  }
  encode_so_far();
  return tokens;
}

std::vector<TokenId> encode_text(std::string_view text, const Tokenizer& tokenizer) {
  std::vector<TokenId> tokens = tokenizer.encode(text, SpecialTokens::kAsText);
  const auto bos = tokenizer.bos();
  if (tokenizer.add_bos() && bos) tokens.insert(tokens.begin(), *bos);
  return tokens;
}

std::string echo_of(const Turn& turn, const Tokenizer& tokenizer) {
  if (!turn.echo) return {};
  if (const auto* text = std::get_if<std::string>(&turn.input)) return replace_invalid(*text);
  const auto* tokens = std::get_if<std::vector<TokenId>>(&turn.input);
  return tokens == nullptr ? std::string() : replace_invalid(tokenizer.decode(*tokens));
}

}  // namespace jarip

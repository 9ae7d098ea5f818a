#include "app/prompt.h"

#include <string>
#include <utility>

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
  }
  return "user";
}

TemplateValue context_of(std::span<const Message> messages, const Tokenizer& tokenizer) {
  std::vector<TemplateValue> list;
  for (const Message& message : messages) {
    // One of three words of ours, so a template may build a control token of it: '<|' + role +
    // '|>'.
    TemplateValue role = TemplateValue::from(name_of(message.role));
    role.trusted = true;
    list.push_back(TemplateValue::make_object(
        {{"role", std::move(role)},
         {"content", TemplateValue::from(std::string_view(message.content))}}));
  }
  // What Hugging Face's apply_chat_template gives a template, which is what templates expect.
  std::vector<std::pair<std::string, TemplateValue>> fields;
  fields.emplace_back("messages", TemplateValue::make_list(std::move(list)));
  fields.emplace_back("tools", TemplateValue::null());
  fields.emplace_back("documents", TemplateValue::null());
  fields.emplace_back("add_generation_prompt", TemplateValue::from(true));
  if (const auto bos = tokenizer.bos()) {
    fields.emplace_back("bos_token", TemplateValue::from(tokenizer.token_bytes(*bos)));
  }
  if (const auto eos = tokenizer.eos()) {
    fields.emplace_back("eos_token", TemplateValue::from(tokenizer.token_bytes(*eos)));
  }
  return TemplateValue::make_object(std::move(fields));
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
                                                     const Tokenizer& tokenizer, std::time_t now) {
  const std::span<const Message> rendered =
      continues_last && !messages.empty() ? messages.first(messages.size() - 1) : messages;
  if (rendered.empty()) {
    return fail(ErrorCode::kInvalidArgument, "there are no messages to answer", "messages");
  }
  JARIP_TRY(auto segments,
            chat_template.render(context_of(rendered, tokenizer), {"bos_token", "eos_token"}, now));
  if (continues_last) segments.push_back({messages.back().content, true});
  return segments;
}

Result<std::vector<TokenId>> encode_messages(std::span<const Message> messages, bool continues_last,
                                             const ChatTemplate& chat_template,
                                             const Tokenizer& tokenizer, std::time_t now) {
  JARIP_TRY(const auto segments,
            render_messages(messages, continues_last, chat_template, tokenizer, now));
  std::vector<TokenId> tokens = encode_segments(segments, tokenizer);
  ensure_bos(tokens, tokenizer);
  return tokens;
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
    for (const TokenId id : tokenizer.encode(segment.text, SpecialTokens::kParse)) {
      if (tokenizer.is_control(id)) {
        encode_so_far();
        tokens.push_back(id);
      } else {
        text += tokenizer.token_bytes(id);
      }
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

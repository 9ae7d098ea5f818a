// From what a person said to the tokens that the model reads. Free functions; any thread.
#pragma once

#include <ctime>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/answer_shape.h"
#include "app/template_variables.h"
#include "app/turn.h"
#include "base/result.h"
#include "model/chat_template.h"
#include "model/tokenizer.h"

namespace jarip {

// What messages may call, and how a model's template takes it.
struct PromptTools {
  std::span<const Tool> tools = {};
  const AnswerShape* shape = nullptr;  // null: none of the messages has to do with calls
};

// Messages as the model's template renders them, up to where its answer begins. With
// continues_last the answer has begun already, with the last message's content. now: for templates
// that write the date. Errors: kInvalidArgument (no messages, or the template's own refusal), and
// those of ChatTemplate::render.
[[nodiscard]] Result<std::vector<RenderedSegment>> render_messages(
    std::span<const Message> messages, bool continues_last, const ChatTemplate& chat_template,
    const Tokenizer& tokenizer, std::time_t now, const PromptTools& tools = {},
    const TemplateVariables& variables = {});

// The same as tokens.
[[nodiscard]] Result<std::vector<TokenId>> encode_messages(
    std::span<const Message> messages, bool continues_last, const ChatTemplate& chat_template,
    const Tokenizer& tokenizer, std::time_t now, const PromptTools& tools = {});

// The template, but for white space, ends with the mark.
[[nodiscard]] bool ends_with_mark(std::span<const RenderedSegment> segments, std::string_view mark);

// Only what the template itself wrote can name a control token. Between two control tokens
// everything is encoded as one text, whoever wrote it, because that is how the model was trained.
[[nodiscard]] std::vector<TokenId> encode_segments(std::span<const RenderedSegment> segments,
                                                   const Tokenizer& tokenizer);

// Plain text, with BOS before it when the model file asks for one.
[[nodiscard]] std::vector<TokenId> encode_text(std::string_view text, const Tokenizer& tokenizer);

// BOS goes before the tokens when the model file asks for it and they don't begin with it already.
void ensure_bos(std::vector<TokenId>& tokens, const Tokenizer& tokenizer);

// What an answer that echoes its text or token input begins with.
[[nodiscard]] std::string echo_of(const Turn& turn, const Tokenizer& tokenizer);

}  // namespace jarip

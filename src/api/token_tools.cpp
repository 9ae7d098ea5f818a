#include "api/token_tools.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <iterator>
#include <utility>
#include <vector>

#include "api/common_fields.h"
#include "api/field_table.h"
#include "api/json_body.h"
#include "api/openai_messages.h"
#include "api/thinking_fields.h"
#include "api/tool_fields.h"
#include "base/utf8.h"

namespace jarip {
namespace {

namespace json = boost::json;

using Json = const json::value&;
using Path = std::string_view;

struct TokenizeDraft : AnswerDraft {
  std::string content;
  Answerer::TokenizeOptions options{.parse_special = true, .add_special = false};
  bool with_pieces = false;
};

constexpr Field<TokenizeDraft> kTokenizeFields[] = {
    CommonFields<TokenizeDraft>::kModel,
    used_field<TokenizeDraft>("content", JsonType::kString, {},
                              [](Json value, Path, TokenizeDraft& draft) -> Result<void> {
                                draft.content = std::string(value.get_string());
                                return {};
                              })
        .about("The text.")
        .required(),
    used_field<TokenizeDraft>("add_special", JsonType::kBool, {},
                              [](Json value, Path, TokenizeDraft& draft) -> Result<void> {
                                draft.options.add_special = value.get_bool();
                                return {};
                              })
        .about("Begin with the token for that, where the model asks for one. Absent: false."),
    used_field<TokenizeDraft>("parse_special", JsonType::kBool, {},
                              [](Json value, Path, TokenizeDraft& draft) -> Result<void> {
                                draft.options.parse_special = value.get_bool();
                                return {};
                              })
        .about("Control tokens written out in the text become those tokens. Absent: true."),
    used_field<TokenizeDraft>("with_pieces", JsonType::kBool, {},
                              [](Json value, Path, TokenizeDraft& draft) -> Result<void> {
                                draft.with_pieces = value.get_bool();
                                return {};
                              })
        .about("Each token with its text; bytes that are no whole characters come as a list."),
};

constexpr std::size_t kMaxTokens = 262'144;  // a token may be far longer as text than as a number

struct DetokenizeDraft : AnswerDraft {
  std::vector<TokenId> tokens;
};

constexpr Field<DetokenizeDraft> kDetokenizeFields[] = {
    CommonFields<DetokenizeDraft>::kModel,
    used_field<DetokenizeDraft>("tokens", JsonType::kList, {0, kMaxTokens},
                                [](Json value, Path path, DetokenizeDraft& draft) -> Result<void> {
                                  JARIP_TRY(draft.tokens, read_tokens(value, path, draft.n_vocab));
                                  return {};
                                })
        .schema(R"({"type":"array","maxItems":262144,"items":{"type":"integer","minimum":0}})")
        .required(),
};

constexpr Field<AnswerDraft> kTemplateFields[] = {
    CommonFields<AnswerDraft>::kModel,
    used_field<AnswerDraft>("messages", JsonType::kList, {.min = 1},
                            [](Json value, Path path, AnswerDraft& draft) -> Result<void> {
                              JARIP_TRY(draft.turn.input, read_openai_messages(value, path));
                              return {};
                            })
        .schema(R"({"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/ChatMessage"}})")
        .required(),
    neutral_field<AnswerDraft>("add_generation_prompt", "[true]"),
    used_field<AnswerDraft>("chat_template_kwargs", JsonType::kObject, {}, read_template_variables)
        .about("Variables of the model's chat template, such as enable_thinking.")
        .schema(kTemplateVariablesSchema),
    used_field<AnswerDraft>("reasoning_effort", JsonType::kString, {}, read_effort)
        .about("How hard the model thinks before it answers, where it can; none: not at all.")
        .schema(kEffortSchema),
    used_field<AnswerDraft>("tools", JsonType::kList, {0, kMaxTools}, read_chat_tools)
        .about("Functions that the model may ask you to call.")
        .schema(kChatToolsSchema),
};

Result<void> check_model(const Turn& turn, const ModelCard& card) {
  if (turn.model.empty() || turn.model == card.name) return {};
  return fail(
      ErrorCode::kNotFound,
      fmt::format("there is no model \"{}\" here; the one loaded is \"{}\"", turn.model, card.name),
      "model");
}

template <class Draft>
Result<Draft> read_body(std::string_view body, FieldTable<Draft> fields, const Answerer& answerer) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  Draft draft;
  draft.n_vocab = answerer.card().n_vocab;
  JARIP_CHECK(read_object<Draft>(object, {fields}, {}, draft));
  JARIP_CHECK(check_model(draft.turn, answerer.card()));
  return draft;
}

std::string piece_json(const std::string& bytes) {
  if (is_valid_utf8(bytes)) return json_string(bytes);
  std::string out = "[";
  for (const char byte : bytes) {
    fmt::format_to(std::back_inserter(out), "{}{}", out.size() == 1 ? "" : ",",
                   static_cast<unsigned char>(byte));
  }
  return out + "]";
}

}  // namespace

Result<std::string> tokenize_json(std::string_view body, const Answerer& answerer) {
  JARIP_TRY(const auto draft, read_body<TokenizeDraft>(body, kTokenizeFields, answerer));
  std::string list;
  for (const TokenId id : answerer.tokenize(draft.content, draft.options)) {
    if (!list.empty()) list += ',';
    list += draft.with_pieces
                ? fmt::format(R"({{"id":{},"piece":{}}})", id, piece_json(answerer.token_bytes(id)))
                : fmt::format("{}", id);
  }
  return fmt::format(R"({{"tokens":[{}]}})", list);
}

Result<std::string> detokenize_json(std::string_view body, const Answerer& answerer) {
  JARIP_TRY(const auto draft, read_body<DetokenizeDraft>(body, kDetokenizeFields, answerer));
  std::string bytes;
  for (const TokenId id : draft.tokens) bytes += answerer.token_bytes(id);
  return fmt::format(R"({{"content":{}}})", json_string_of_bytes(bytes));
}

Result<std::string> apply_template_json(std::string_view body, const Answerer& answerer) {
  JARIP_TRY(const auto draft, read_body<AnswerDraft>(body, kTemplateFields, answerer));
  JARIP_TRY(const std::string prompt, answerer.render(draft.turn));
  return fmt::format(R"({{"prompt":{}}})", json_string_of_bytes(prompt));
}

void describe_token_tools(SchemaSet& schemas) {
  schemas.add_object<TokenizeDraft>("TokenizeRequest", {kTokenizeFields});
  schemas.add_object<DetokenizeDraft>("DetokenizeRequest", {kDetokenizeFields});
  schemas.add_object<AnswerDraft>("ApplyTemplateRequest", {kTemplateFields});
}

}  // namespace jarip

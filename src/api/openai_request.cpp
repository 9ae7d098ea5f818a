#include "api/openai_request.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "api/common_fields.h"
#include "api/field_table.h"
#include "api/form_fields.h"
#include "api/json_body.h"
#include "api/openai_messages.h"
#include "api/text_parts.h"
#include "api/thinking_fields.h"
#include "api/tool_fields.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kDefaultCompletionTokens = 16;  // as OpenAI's own /v1/completions

struct Draft : AnswerDraft {
  std::vector<TurnInput> more_prompts;
  std::uint32_t n_choices = 1;
  std::optional<bool> include_usage;  // set: there are stream options
  std::optional<bool> logprobs;
  std::optional<std::uint32_t> top_logprobs;
  std::optional<std::uint32_t> max_completion_tokens;
  std::optional<bool> add_generation_prompt;
};

using Json = const json::value&;
using Path = std::string_view;
using Common = CommonFields<Draft>;
using Forms = FormFields<Draft>;

// --- fields that are more than a number ---

// A text or its tokens.
Result<TurnInput> read_one_prompt(Json prompt, Path path, std::uint32_t n_vocab) {
  if (const auto* text = prompt.if_string()) return TurnInput(std::string(*text));
  if (const auto* tokens = prompt.if_array(); tokens != nullptr && !tokens->empty()) {
    JARIP_TRY(auto ids, read_tokens(prompt, path, n_vocab));
    return TurnInput(std::move(ids));
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} must be a string or a list of token ids", path), std::string(path));
}

// One prompt, or a list of them.
Result<void> read_prompt(Json value, Path path, Draft& draft) {
  const auto* const list = value.if_array();
  if (list == nullptr || list->empty() || list->front().is_number()) {
    JARIP_TRY(draft.turn.input, read_one_prompt(value, path, draft.n_vocab));
    return {};
  }
  JARIP_CHECK(check_value({path, JsonType::kList, FieldUse::kUsed, {1, kMaxAnswers}}, value, path));
  JARIP_TRY(draft.turn.input, read_one_prompt(list->front(), join_path(path, 0U), draft.n_vocab));
  for (std::size_t i = 1; i < list->size(); ++i) {
    JARIP_TRY(TurnInput prompt, read_one_prompt((*list)[i], join_path(path, i), draft.n_vocab));
    draft.more_prompts.push_back(std::move(prompt));
  }
  return {};
}

constexpr Field<Draft> kStreamOptionFields[] = {
    used_field<Draft>("include_usage", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.include_usage = value.get_bool();
                        return {};
                      })
        .about("One more chunk, with no choices and the usage, before the stream ends."),
    neutral_field<Draft>("include_obfuscation", "[false]"),
};

Result<void> read_stream_options(Json value, Path path, Draft& draft) {
  draft.include_usage = false;
  return read_object<Draft>(value.get_object(), {kStreamOptionFields}, path, draft);
}

// --- the tables ---

// What both endpoints take.
constexpr Field<Draft> kSharedFields[] = {
    Common::kModel,
    Common::kStream,
    used_field<Draft>("stream_options", JsonType::kObject, {}, read_stream_options)
        .about("Only with stream.")
        .schema(R"({"anyOf":[{"$ref":"#/components/schemas/StreamOptions"},{"type":"null"}]})"),
    used_field<Draft>("max_tokens", JsonType::kInteger, {1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.max_tokens = read_uint32(value);
                        return {};
                      })
        .about("The longest answer, in tokens. Absent: in a chat whatever the context leaves, 16 "
               "for /v1/completions."),
    used_field<Draft>("n", JsonType::kInteger, {1, kMaxAnswers},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.n_choices = read_uint32(value);
                        return {};
                      })
        .about("Answers to each prompt, at most 128 to all of them. The first is the one that n = "
               "1 would get; the seeds of "
               "the others follow from its seed."),
    used_field<Draft>("stop", JsonType::kAny, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_stop(value, path, draft.turn);
                      })
        .about("The answer ends before the first of these texts.")
        .schema(kStopSchema),
    Common::kUser,
    // What other servers take beyond OpenAI's own.
    neutral_field<Draft>("best_of", "[1]").about("ask for n answers and choose among them"),
    neutral_field<Draft>("include_stop_str_in_output", "[false]"),
    neutral_field<Draft>("length_penalty", "[1, 1.0]"),
    neutral_field<Draft>("logits_processors", "[[]]"),
    neutral_field<Draft>("min_tokens", "[0]"),
    neutral_field<Draft>("mirostat", "[0]"),
    neutral_field<Draft>("skip_special_tokens", "[true]"),
    neutral_field<Draft>("stop_token_ids", "[[]]"),
    neutral_field<Draft>("typical_p", "[1, 1.0]"),
    neutral_field<Draft>("use_beam_search", "[false]"),
};

constexpr Field<Draft> kChatFields[] = {
    used_field<Draft>("messages", JsonType::kList, {.min = 1},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        JARIP_TRY(draft.turn.input, read_openai_messages(value, path));
                        return {};
                      })
        .schema(R"({"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/ChatMessage"}})")
        .required(),
    used_field<Draft>("max_completion_tokens", JsonType::kInteger, {1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.max_completion_tokens = read_uint32(value);
                        return {};
                      })
        .about("The same as max_tokens; only one may be given."),
    used_field<Draft>("logprobs", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.logprobs = value.get_bool();
                        return {};
                      })
        .about("Each token's logarithm of probability, before any field here changed it."),
    used_field<Draft>("top_logprobs", JsonType::kInteger, {0, kMaxLogprobs},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.top_logprobs = read_uint32(value);
                        return {};
                      })
        .about("The likeliest tokens at each place, beside the one drawn. Only with logprobs."),
    used_field<Draft>("continue_final_message", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.continues_last = value.get_bool();
                        return {};
                      })
        .about("The last message is an assistant's and the answer goes on where it ends."),
    used_field<Draft>("add_generation_prompt", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.add_generation_prompt = value.get_bool();
                        return {};
                      })
        .about("False only, and always, together with continue_final_message."),
    no_effect_field<Draft>("metadata", JsonType::kObject),
    used_field<Draft>("parallel_tool_calls", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.tool_choice.is_parallel = value.get_bool();
                        return {};
                      })
        .about("False: an answer has one call at most."),
    no_effect_field<Draft>("prompt_cache_key", JsonType::kString),
    no_effect_field<Draft>("prompt_cache_retention", JsonType::kString),
    no_effect_field<Draft>("safety_identifier", JsonType::kString),
    neutral_field<Draft>("audio"),
    neutral_field<Draft>("chat_template"),
    neutral_field<Draft>("function_call", R"(["none"])"),
    neutral_field<Draft>("functions", "[[]]"),
    neutral_field<Draft>("modalities", R"([["text"]])"),
    neutral_field<Draft>("moderation"),
    neutral_field<Draft>("prediction"),
    neutral_field<Draft>("service_tier", R"(["auto", "default"])"),
    neutral_field<Draft>("store", "[false]"),
    used_field<Draft>("chat_template_kwargs", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_template_variables(value, path, draft);
                      })
        .about("Variables of the model's chat template, such as enable_thinking.")
        .schema(kTemplateVariablesSchema),
    used_field<Draft>("reasoning_effort", JsonType::kString, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_effort(value, path, draft);
                      })
        .about("How hard the model thinks before it answers, where it can; none: not at all.")
        .schema(kEffortSchema),
    used_field<Draft>("thinking_token_budget", JsonType::kInteger, {1, kMaxInt32},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_thinking_budget(value, path, draft);
                      })
        .about("Reasoning is closed after this many tokens."),
    used_field<Draft>("tool_choice", JsonType::kAny, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_chat_choice(value, path, draft);
                      })
        .about("Whether the model calls tools: none, auto (it decides), required, one by name, or "
               "some of them.")
        .schema(kChatChoiceSchema),
    used_field<Draft>("tools", JsonType::kList, {0, kMaxTools},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_chat_tools(value, path, draft);
                      })
        .about("Functions that the model may ask you to call.")
        .schema(kChatToolsSchema),
    neutral_field<Draft>("verbosity", R"(["medium"])"),
    neutral_field<Draft>("web_search_options"),
};

constexpr Field<Draft> kCompletionFields[] = {
    used_field<Draft>("prompt", JsonType::kAny, {}, read_prompt)
        .about("Text or its token ids, or a list of these: each prompt is answered as it would be "
               "alone, and choices are numbered prompt by prompt.")
        .schema(R"({"anyOf":[{"type":"string"},)"
                R"({"type":"array","minItems":1,"items":{"type":"integer","minimum":0}},)"
                R"({"type":"array","minItems":1,"maxItems":128,"items":{"anyOf":[)"
                R"({"type":"string"},)"
                R"({"type":"array","minItems":1,"items":{"type":"integer","minimum":0}}]}}]})")
        .required(),
    used_field<Draft>("logprobs", JsonType::kInteger, {0, kMaxLogprobs},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.n_logprobs = read_uint32(value);
                        return {};
                      })
        .about("Each token's logarithm of probability, and those of this many likeliest tokens."),
    used_field<Draft>("echo", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.echo = value.get_bool();
                        return {};
                      })
        .about("The answer begins with the prompt. Not together with logprobs."),
    neutral_field<Draft>("suffix", R"([""])"),
};

// --- fields that depend on one another ---

Result<void> settle_chat(Draft& draft) {
  if (draft.max_tokens && draft.max_completion_tokens) {
    return fail(ErrorCode::kInvalidArgument,
                "max_tokens and max_completion_tokens say the same; give one of them",
                "max_tokens");
  }
  if (!draft.max_tokens) draft.max_tokens = draft.max_completion_tokens;
  JARIP_CHECK(settle_tools(draft));
  draft.turn.separates = true;
  if (draft.top_logprobs && !draft.logprobs.value_or(false)) {
    return fail(ErrorCode::kInvalidArgument, "top_logprobs needs logprobs to be true",
                "top_logprobs");
  }
  if (draft.logprobs.value_or(false)) draft.turn.n_logprobs = draft.top_logprobs.value_or(0);
  if (draft.add_generation_prompt.value_or(!draft.turn.continues_last) ==
      draft.turn.continues_last) {
    return fail(ErrorCode::kUnsupported,
                draft.turn.continues_last
                    ? "add_generation_prompt must be false with continue_final_message"
                    : "add_generation_prompt can be false only with continue_final_message",
                "add_generation_prompt");
  }
  return {};
}

Result<void> settle(OpenAiEndpoint endpoint, Draft& draft) {
  if (draft.include_usage && !draft.is_stream) {
    return fail(ErrorCode::kInvalidArgument, "stream_options need stream to be true",
                "stream_options");
  }
  if (draft.turn.echo && draft.turn.n_logprobs) {
    return fail(ErrorCode::kUnsupported, "echo is not supported together with logprobs", "echo");
  }
  const std::size_t n_prompts = 1 + draft.more_prompts.size();
  if (n_prompts * draft.n_choices > kMaxAnswers) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} prompts with n = {} are more than {} answers; send several requests",
                    n_prompts, draft.n_choices, kMaxAnswers),
        "n");
  }
  if (endpoint == OpenAiEndpoint::kChat) {
    JARIP_CHECK(settle_chat(draft));
  } else if (!draft.max_tokens) {
    draft.max_tokens = kDefaultCompletionTokens;
  }
  return settle_common(draft);
}

}  // namespace

Result<OpenAiRequest> parse_openai_request(OpenAiEndpoint endpoint, std::string_view body,
                                           std::uint32_t n_vocab) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  Draft draft;
  draft.n_vocab = n_vocab;
  const FieldTable<Draft> fields = endpoint == OpenAiEndpoint::kChat
                                       ? FieldTable<Draft>(kChatFields)
                                       : FieldTable<Draft>(kCompletionFields);
  JARIP_CHECK(read_object<Draft>(
      object, {fields, kSharedFields, Forms::kRows, Common::kSampling, Common::kShare}, {}, draft));
  JARIP_CHECK(settle(endpoint, draft));
  return OpenAiRequest{std::move(draft.turn), std::move(draft.more_prompts), draft.n_choices,
                       draft.is_stream, draft.include_usage.value_or(false)};
}

void describe_openai_requests(SchemaSet& schemas) {
  describe_answer_forms(schemas);
  schemas.add_object<TextPart>("TextPart", {text_part_fields()},
                               "A part of a message; its type is text.");
  schemas.add_object<MessageDraft>("ChatMessage", {openai_message_fields()});
  schemas.add_object<Draft>("StreamOptions", {kStreamOptionFields});
  schemas.add_object<Draft>("ChatCompletionRequest", {kChatFields, kSharedFields, Forms::kRows,
                                                      Common::kSampling, Common::kShare});
  schemas.add_object<Draft>("CompletionRequest", {kCompletionFields, kSharedFields, Forms::kRows,
                                                  Common::kSampling, Common::kShare});
}

}  // namespace jarip

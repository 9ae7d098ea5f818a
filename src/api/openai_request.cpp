#include "api/openai_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/stream_parser.hpp>
#include <charconv>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/answer_form.h"
#include "api/field_table.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr double kMaxInt32 = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kMaxStops = 16;
constexpr std::size_t kMaxStopBytes = 1024;
constexpr std::uint32_t kMaxLogprobs = 20;
constexpr double kMaxBias = 100;
constexpr double kMaxTimeoutSeconds = 1e6;
constexpr std::uint32_t kDefaultCompletionTokens = 16;  // as OpenAI's own /v1/completions

// A request while its fields come in, in whatever order.
struct Draft {
  Turn turn;
  std::uint32_t n_vocab = 0;
  bool is_stream = false;
  std::optional<bool> include_usage;  // set: there are stream options
  bool has_input = false;
  std::optional<bool> logprobs;
  std::optional<std::uint32_t> top_logprobs;
  std::optional<std::uint32_t> max_tokens;
  std::optional<std::uint32_t> max_completion_tokens;
  std::optional<float> repetition_penalty;
  std::optional<float> repeat_penalty;
  std::vector<AnswerForm> forms;  // more than one is a mistake
};

float as_float(const json::value& value) { return static_cast<float>(read_number(value)); }
std::uint32_t as_uint32(const json::value& value) {
  return static_cast<std::uint32_t>(*read_integer(value));
}

// --- messages ---

struct MessageDraft {
  std::optional<Role> role;
  std::optional<std::string> content;
};

Result<void> read_role(const json::value& value, std::string_view path, MessageDraft& message) {
  constexpr std::pair<std::string_view, Role> kRoles[] = {{"system", Role::kSystem},
                                                          {"developer", Role::kSystem},
                                                          {"user", Role::kUser},
                                                          {"assistant", Role::kAssistant}};
  for (const auto& [name, role] : kRoles) {
    if (value.get_string() == name) {
      message.role = role;
      return {};
    }
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("{} must be system, developer, user or assistant", path),
              std::string(path));
}

struct PartDraft {
  bool is_text = false;
  std::optional<std::string> text;
};

constexpr Field<PartDraft> kPartFields[] = {
    used_field<PartDraft>(
        "type", JsonType::kString, {},
        [](const json::value& value, std::string_view path, PartDraft& part) -> Result<void> {
          if (value.get_string() != "text") {
            return fail(ErrorCode::kUnsupported,
                        fmt::format("{} is supported only as \"text\"", path), std::string(path));
          }
          part.is_text = true;
          return {};
        }),
    used_field<PartDraft>(
        "text", JsonType::kString, {},
        [](const json::value& value, std::string_view, PartDraft& part) -> Result<void> {
          part.text = std::string(value.get_string());
          return {};
        }),
};

// The type is looked at first: of a part that is an image, that is what can't be honoured.
Result<std::string> read_part(const json::value& value, std::string_view path) {
  const auto* object = value.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", path),
                std::string(path));
  }
  PartDraft part;
  const std::span<const Field<PartDraft>> fields = kPartFields;
  if (const auto* type = object->if_contains("type")) {
    json::object only_type;
    only_type["type"] = *type;
    JARIP_CHECK(read_object<PartDraft>(only_type, fields, {}, path, part));
  }
  JARIP_CHECK(read_object<PartDraft>(*object, fields, {}, path, part));
  if (!part.is_text || !part.text) {
    const std::string missing = join_path(path, part.is_text ? "text" : "type");
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} is missing", missing), missing);
  }
  return *std::move(part.text);
}

Result<void> read_content(const json::value& value, std::string_view path, MessageDraft& message) {
  if (const auto* text = value.if_string()) {
    message.content = std::string(*text);
    return {};
  }
  const auto* parts = value.if_array();
  if (parts == nullptr || parts->empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be a string or a list of text parts", path),
                std::string(path));
  }
  std::string content;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    JARIP_TRY(const std::string text, read_part((*parts)[i], join_path(path, i)));
    content += text;
  }
  message.content = std::move(content);
  return {};
}

// Clients send an earlier answer back as they got it, with what it did not have as null or [].
constexpr Field<MessageDraft> kMessageFields[] = {
    used_field<MessageDraft>("role", JsonType::kString, {}, read_role),
    used_field<MessageDraft>("content", JsonType::kAny, {}, read_content),
    neutral_field<MessageDraft>("annotations", "[[]]"),
    neutral_field<MessageDraft>("audio"),
    neutral_field<MessageDraft>("function_call"),
    neutral_field<MessageDraft>("name"),
    neutral_field<MessageDraft>("reasoning", R"([""])"),
    neutral_field<MessageDraft>("reasoning_content", R"([""])"),
    neutral_field<MessageDraft>("refusal"),
    neutral_field<MessageDraft>("tool_call_id"),
    neutral_field<MessageDraft>("tool_calls", "[[]]"),
};

Result<Message> read_message(const json::value& value, const std::string& path) {
  const auto* object = value.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", path), path);
  }
  MessageDraft message;
  JARIP_CHECK(read_object<MessageDraft>(*object, kMessageFields, {}, path, message));
  if (!message.role) {
    const std::string missing = join_path(path, "role");
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} is missing", missing), missing);
  }
  // An assistant that has said nothing is the one whose content may be null.
  if (!message.content && message.role != Role::kAssistant) {
    const std::string missing = join_path(path, "content");
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} is missing", missing), missing);
  }
  return Message{*message.role, std::move(message.content).value_or("")};
}

Result<void> read_messages(const json::value& value, std::string_view path, Draft& draft) {
  std::vector<Message> messages;
  for (std::size_t i = 0; i < value.get_array().size(); ++i) {
    JARIP_TRY(Message message, read_message(value.get_array()[i], join_path(path, i)));
    messages.push_back(std::move(message));
  }
  draft.turn.input = std::move(messages);
  draft.has_input = true;
  return {};
}

// --- other fields that are more than a number ---

Result<TokenId> read_token(const json::value& value, const std::string& path,
                           std::uint32_t n_vocab) {
  JARIP_CHECK(
      check_value({path, JsonType::kInteger, FieldUse::kUsed, {0, n_vocab - 1.0}}, value, path));
  return as_uint32(value);
}

Result<void> read_token_prompt(const json::array& items, std::string_view path, Draft& draft) {
  std::vector<TokenId> tokens;
  tokens.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    JARIP_TRY(const TokenId token, read_token(items[i], join_path(path, i), draft.n_vocab));
    tokens.push_back(token);
  }
  draft.turn.input = std::move(tokens);
  return {};
}

// A text, its tokens, or a list of one of these.
Result<void> read_prompt(const json::value& value, std::string_view path, Draft& draft) {
  const json::value* prompt = &value;
  std::string prompt_path(path);
  if (const auto* list = value.if_array();
      list != nullptr && !list->empty() && !list->front().is_number()) {
    if (list->size() > 1) {
      return fail(ErrorCode::kUnsupported, fmt::format("{} can hold only one prompt", path),
                  std::string(path));
    }
    prompt = &list->front();
    prompt_path = join_path(path, 0U);
  }
  draft.has_input = true;
  if (const auto* text = prompt->if_string()) {
    draft.turn.input = std::string(*text);
    return {};
  }
  if (const auto* tokens = prompt->if_array(); tokens != nullptr && !tokens->empty()) {
    return read_token_prompt(*tokens, prompt_path, draft);
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} must be a string or a list of token ids", prompt_path), prompt_path);
}

Result<void> read_stop(const json::value& value, std::string_view path, Draft& draft) {
  const FieldRule rule{path, JsonType::kString, FieldUse::kUsed, {1, kMaxStopBytes}};
  if (const auto* list = value.if_array()) {
    JARIP_CHECK(check_value({path, JsonType::kList, FieldUse::kUsed, {0, kMaxStops}}, value, path));
    for (std::size_t i = 0; i < list->size(); ++i) {
      JARIP_CHECK(check_value(rule, (*list)[i], join_path(path, i)));
      draft.turn.stop.emplace_back((*list)[i].get_string());
    }
    return {};
  }
  JARIP_CHECK(check_value(rule, value, path));
  draft.turn.stop.emplace_back(value.get_string());
  return {};
}

Result<void> read_logit_bias(const json::value& value, std::string_view path, Draft& draft) {
  for (const auto& [key, bias] : value.get_object()) {
    const std::string bias_path = join_path(path, std::string_view(key));
    TokenId token = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    const bool has_leading_zero = key.size() > 1 && key.front() == '0';  // "01" and "1": one token
    if (error != std::errc() || end != key.data() + key.size() || token >= draft.n_vocab ||
        has_leading_zero) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} isn't a token id from 0 to {}", bias_path, draft.n_vocab - 1),
                  bias_path);
    }
    JARIP_CHECK(check_value({bias_path, JsonType::kNumber, FieldUse::kUsed, {-kMaxBias, kMaxBias}},
                            bias, bias_path));
    draft.turn.sampling.logit_bias.emplace_back(token, as_float(bias));
  }
  return {};
}

constexpr Field<Draft> kStreamOptionFields[] = {
    used_field<Draft>("include_usage", JsonType::kBool, {},
                      [](const json::value& value, std::string_view, Draft& draft) -> Result<void> {
                        draft.include_usage = value.get_bool();
                        return {};
                      }),
    neutral_field<Draft>("include_obfuscation", "[false]"),
};

Result<void> read_stream_options(const json::value& value, std::string_view path, Draft& draft) {
  draft.include_usage = false;
  return read_object<Draft>(value.get_object(), kStreamOptionFields, {}, path, draft);
}

// --- what the answer must match ---

Result<void> take_form(Result<std::optional<AnswerForm>> form, Draft& draft) {
  if (!form) return std::unexpected(std::move(form).error());
  if (*form) draft.forms.push_back(**std::move(form));
  return {};
}

template <GrammarKind kind>
Result<void> read_grammar_text(const json::value& value, std::string_view path, Draft& draft) {
  if (value.get_string().empty()) return {};  // as clients write that there is none
  return take_form(text_form(kind, value, path), draft);
}

// --- the tables ---

using Json = const json::value&;
using Path = std::string_view;

// What both endpoints take.
constexpr Field<Draft> kSharedFields[] = {
    used_field<Draft>("model", JsonType::kString, {1, 256},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.model = std::string(value.get_string());
                        return {};
                      }),
    used_field<Draft>("stream", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.is_stream = value.get_bool();
                        return {};
                      }),
    used_field<Draft>("stream_options", JsonType::kObject, {}, read_stream_options),
    used_field<Draft>("max_tokens", JsonType::kInteger, {1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.max_tokens = as_uint32(value);
                        return {};
                      }),
    used_field<Draft>("temperature", JsonType::kNumber, {0, 2},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.sampling.temperature = as_float(value);
                        return {};
                      }),
    used_field<Draft>("top_p", JsonType::kNumber, {0, 1},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.sampling.top_p = as_float(value);
                        return {};
                      }),
    // -1 is how some clients write "off".
    used_field<Draft>("top_k", JsonType::kInteger, {-1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.sampling.top_k = static_cast<std::uint32_t>(
                            std::max<std::int64_t>(*read_integer(value), 0));
                        return {};
                      }),
    used_field<Draft>("min_p", JsonType::kNumber, {0, 1},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.sampling.min_p = as_float(value);
                        return {};
                      }),
    used_field<Draft>("repetition_penalty", JsonType::kNumber, {0.01, 10},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.repetition_penalty = as_float(value);
                        return {};
                      }),
    used_field<Draft>("repeat_penalty", JsonType::kNumber, {0.01, 10},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.repeat_penalty = as_float(value);
                        return {};
                      }),
    used_field<Draft>("presence_penalty", JsonType::kNumber, {-2, 2},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.sampling.presence_penalty = as_float(value);
                        return {};
                      }),
    used_field<Draft>("frequency_penalty", JsonType::kNumber, {-2, 2},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.sampling.frequency_penalty = as_float(value);
                        return {};
                      }),
    used_field<Draft>("logit_bias", JsonType::kObject, {}, read_logit_bias),
    used_field<Draft>("response_format", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return take_form(read_response_format(value, path), draft);
                      }),
    used_field<Draft>("seed", JsonType::kInteger, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.seed = static_cast<std::uint64_t>(*read_integer(value));
                        return {};
                      }),
    used_field<Draft>("stop", JsonType::kAny, {}, read_stop),
    used_field<Draft>("ignore_eos", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.ignore_end_tokens = value.get_bool();
                        return {};
                      }),
    // None of these changes an answer: whose share of the machine it takes, when it gets it, and
    // for how long it is wanted.
    used_field<Draft>("user", JsonType::kString, {0, kMaxUserBytes},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.user = value.get_string();
                        return {};
                      }),
    used_field<Draft>("priority", JsonType::kInteger, {-kMaxInt32, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.priority = static_cast<std::int32_t>(*read_integer(value));
                        return {};
                      }),
    used_field<Draft>("max_queue_ms", JsonType::kInteger, {1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.max_queue_ms = as_uint32(value);
                        return {};
                      }),
    // Seconds, as clients count their own.
    used_field<Draft>("timeout", JsonType::kNumber, {0.001, kMaxTimeoutSeconds},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.timeout_ms =
                            static_cast<std::uint32_t>(read_number(value) * 1000.0);
                        return {};
                      }),
    neutral_field<Draft>("n", "[1]"),
    // What other servers take beyond OpenAI's own.
    neutral_field<Draft>("best_of", "[1]"),
    used_field<Draft>("grammar", JsonType::kString, {}, read_grammar_text<GrammarKind::kEbnf>),
    used_field<Draft>("guided_choice", JsonType::kList, {1, kMaxChoices},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return take_form(read_choice_form(value, path), draft);
                      }),
    used_field<Draft>("guided_grammar", JsonType::kString, {},
                      read_grammar_text<GrammarKind::kEbnf>),
    used_field<Draft>("guided_json", JsonType::kAny, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return take_form(read_schema_form(value, path), draft);
                      }),
    used_field<Draft>("guided_regex", JsonType::kString, {},
                      read_grammar_text<GrammarKind::kRegex>),
    neutral_field<Draft>("include_stop_str_in_output", "[false]"),
    neutral_field<Draft>("length_penalty", "[1, 1.0]"),
    neutral_field<Draft>("logits_processors", "[[]]"),
    neutral_field<Draft>("min_tokens", "[0]"),
    neutral_field<Draft>("mirostat", "[0]"),
    neutral_field<Draft>("skip_special_tokens", "[true]"),
    neutral_field<Draft>("stop_token_ids", "[[]]"),
    used_field<Draft>("structured_outputs", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return take_form(read_structured_outputs(value, path), draft);
                      }),
    neutral_field<Draft>("typical_p", "[1, 1.0]"),
    neutral_field<Draft>("use_beam_search", "[false]"),
};

constexpr Field<Draft> kChatFields[] = {
    used_field<Draft>("messages", JsonType::kList, {.min = 1}, read_messages),
    used_field<Draft>("max_completion_tokens", JsonType::kInteger, {1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.max_completion_tokens = as_uint32(value);
                        return {};
                      }),
    used_field<Draft>("logprobs", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.logprobs = value.get_bool();
                        return {};
                      }),
    used_field<Draft>("top_logprobs", JsonType::kInteger, {0, kMaxLogprobs},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.top_logprobs = as_uint32(value);
                        return {};
                      }),
    no_effect_field<Draft>("metadata", JsonType::kObject),
    no_effect_field<Draft>("parallel_tool_calls", JsonType::kBool),
    no_effect_field<Draft>("prompt_cache_key", JsonType::kString),
    no_effect_field<Draft>("prompt_cache_retention", JsonType::kString),
    no_effect_field<Draft>("safety_identifier", JsonType::kString),
    neutral_field<Draft>("add_generation_prompt", "[true]"),
    neutral_field<Draft>("audio"),
    neutral_field<Draft>("chat_template"),
    neutral_field<Draft>("chat_template_kwargs", "[{}]"),
    neutral_field<Draft>("continue_final_message", "[false]"),
    neutral_field<Draft>("function_call", R"(["none"])"),
    neutral_field<Draft>("functions", "[[]]"),
    neutral_field<Draft>("modalities", R"([["text"]])"),
    neutral_field<Draft>("moderation"),
    neutral_field<Draft>("prediction"),
    neutral_field<Draft>("reasoning_effort", R"(["none"])"),
    neutral_field<Draft>("service_tier", R"(["auto", "default"])"),
    neutral_field<Draft>("store", "[false]"),
    neutral_field<Draft>("tool_choice", R"(["none"])"),
    neutral_field<Draft>("tools", "[[]]"),
    neutral_field<Draft>("verbosity", R"(["medium"])"),
    neutral_field<Draft>("web_search_options"),
};

constexpr Field<Draft> kCompletionFields[] = {
    used_field<Draft>("prompt", JsonType::kAny, {}, read_prompt),
    used_field<Draft>("logprobs", JsonType::kInteger, {0, kMaxLogprobs},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.n_logprobs = as_uint32(value);
                        return {};
                      }),
    used_field<Draft>("echo", JsonType::kBool, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.echo = value.get_bool();
                        return {};
                      }),
    neutral_field<Draft>("suffix", R"([""])"),
};

// --- fields that depend on one another ---

Result<void> settle(OpenAiEndpoint endpoint, Draft& draft) {
  const bool is_chat = endpoint == OpenAiEndpoint::kChat;
  if (!draft.has_input) {
    const std::string missing = is_chat ? "messages" : "prompt";
    return fail(ErrorCode::kInvalidArgument, missing + " is missing", missing);
  }
  if (draft.max_tokens && draft.max_completion_tokens) {
    return fail(ErrorCode::kInvalidArgument,
                "max_tokens and max_completion_tokens say the same; give one of them",
                "max_tokens");
  }
  if (draft.repetition_penalty && draft.repeat_penalty) {
    return fail(ErrorCode::kInvalidArgument,
                "repetition_penalty and repeat_penalty say the same; give one of them",
                "repeat_penalty");
  }
  if (draft.include_usage && !draft.is_stream) {
    return fail(ErrorCode::kInvalidArgument, "stream_options need stream to be true",
                "stream_options");
  }
  if (draft.top_logprobs && !draft.logprobs.value_or(false)) {
    return fail(ErrorCode::kInvalidArgument, "top_logprobs needs logprobs to be true",
                "top_logprobs");
  }
  if (draft.turn.echo && draft.turn.n_logprobs) {
    return fail(ErrorCode::kUnsupported, "echo is not supported together with logprobs", "echo");
  }
  if (draft.forms.size() > 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} and {} both say what the answer must match; give one of them",
                            draft.forms[0].field, draft.forms[1].field),
                draft.forms[1].field);
  }
  if (!draft.forms.empty()) draft.turn.form = std::move(draft.forms[0]);
  if (draft.logprobs.value_or(false)) draft.turn.n_logprobs = draft.top_logprobs.value_or(0);
  draft.turn.max_new_tokens = draft.max_tokens ? draft.max_tokens : draft.max_completion_tokens;
  if (!is_chat && !draft.turn.max_new_tokens) draft.turn.max_new_tokens = kDefaultCompletionTokens;
  if (const auto penalty =
          draft.repetition_penalty ? draft.repetition_penalty : draft.repeat_penalty) {
    draft.turn.sampling.repetition_penalty = *penalty;
  }
  return {};
}

Result<json::value> parse_json(std::string_view body) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t n_read = parser.write_some(body.data(), body.size(), error);
  if (!error && n_read < body.size()) error = json::error::extra_data;
  if (!error) parser.finish(error);
  if (error == json::error::too_deep) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the body is nested deeper than {} levels", kMaxJsonDepth));
  }
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the body isn't valid JSON: {} near byte {}", error.message(), n_read));
  }
  return parser.release();
}

}  // namespace

Result<OpenAiRequest> parse_openai_request(OpenAiEndpoint endpoint, std::string_view body,
                                           std::uint32_t n_vocab) {
  JARIP_TRY(const json::value value, parse_json(body));
  const auto* object = value.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "the body must be a JSON object");
  }
  Draft draft;
  draft.n_vocab = n_vocab;
  const std::span<const Field<Draft>> fields =
      endpoint == OpenAiEndpoint::kChat ? std::span<const Field<Draft>>(kChatFields)
                                        : std::span<const Field<Draft>>(kCompletionFields);
  JARIP_CHECK(read_object<Draft>(*object, fields, kSharedFields, {}, draft));
  JARIP_CHECK(settle(endpoint, draft));
  return OpenAiRequest{std::move(draft.turn), draft.is_stream, draft.include_usage.value_or(false)};
}

}  // namespace jarip

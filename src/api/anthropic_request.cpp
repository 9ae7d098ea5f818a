#include "api/anthropic_request.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/answer_form.h"
#include "api/common_fields.h"
#include "api/field_table.h"
#include "api/json_body.h"
#include "api/text_parts.h"

namespace jarip {
namespace {

namespace json = boost::json;

using Json = const json::value&;
using Path = std::string_view;

constexpr std::string_view kTextTypes[] = {"text"};

// What some clients put into a system prompt though it is a header, different in each call. In the
// prompt it would keep every answer from using what was computed for the one before.
constexpr std::string_view kBillingHeader = "x-anthropic-billing-header:";

constexpr Field<TextPart> kBlockFields[] = {
    no_effect_field<TextPart>("cache_control", JsonType::kObject),
    neutral_field<TextPart>("citations", R"([[], {"enabled": false}])"),
};
constexpr TextPartRules kTextBlocks{kTextTypes, kBlockFields};

struct Draft : AnswerDraft {
  std::optional<std::string> system;
  std::vector<Message> messages;
};
using Common = CommonFields<Draft>;

constexpr Field<Message> kMessageFields[] = {
    used_field<Message>("role", JsonType::kString, {},
                        [](Json value, Path path, Message& message) -> Result<void> {
                          const std::string_view role = value.get_string();
                          if (role != "user" && role != "assistant") {
                            return fail(ErrorCode::kInvalidArgument,
                                        fmt::format("{} must be user or assistant; a system "
                                                    "prompt goes into the field system",
                                                    path),
                                        std::string(path));
                          }
                          message.role = role == "user" ? Role::kUser : Role::kAssistant;
                          return {};
                        })
        .schema(R"({"type":"string","enum":["user","assistant"]})")
        .required(),
    used_field<Message>("content", JsonType::kAny, {},
                        [](Json value, Path path, Message& message) -> Result<void> {
                          JARIP_TRY(message.content, read_joined_parts(value, path, kTextBlocks));
                          return {};
                        })
        .about("Text, or blocks of text.")
        .schema(R"({"anyOf":[{"type":"string"},{"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/AnthropicTextBlock"}}]})")
        .required(),
};

Result<void> read_messages(Json value, Path path, Draft& draft) {
  for (std::size_t i = 0; i < value.get_array().size(); ++i) {
    const std::string message_path = join_path(path, i);
    const auto* object = value.get_array()[i].if_object();
    if (object == nullptr) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", message_path),
                  message_path);
    }
    Message message;
    JARIP_CHECK(read_object<Message>(*object, {kMessageFields}, message_path, message));
    draft.messages.push_back(std::move(message));
  }
  return {};
}

Result<void> read_system(Json value, Path path, Draft& draft) {
  JARIP_TRY(const std::vector<std::string> texts, read_text_parts(value, path, kTextBlocks));
  std::string system;
  for (const std::string& text : texts) {
    if (!text.starts_with(kBillingHeader)) system += text;
  }
  if (!system.empty()) draft.system = std::move(system);
  return {};
}

Result<void> read_stop_sequences(Json value, Path path, Draft& draft) {
  return read_stop(value, path, draft.turn);
}

Result<void> read_format(Json value, Path path, Draft& draft) {
  return take_form(read_output_format(value, path), draft);
}

constexpr std::string_view kFormatSchema =
    R"({"anyOf":[{"$ref":"#/components/schemas/AnthropicOutputFormat"},{"type":"null"}]})";

constexpr Field<Draft> kOutputConfigFields[] = {
    used_field<Draft>("format", JsonType::kObject, {}, read_format)
        .about("A JSON schema that the answer must match.")
        .schema(kFormatSchema),
    neutral_field<Draft>("effort"),
};

// What both endpoints take.
constexpr Field<Draft> kPromptFields[] = {
    Common::kModel,
    used_field<Draft>("messages", JsonType::kList, {.min = 1}, read_messages)
        .about("An assistant's message at the end is the beginning of the answer.")
        .schema(R"({"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/AnthropicMessage"}})")
        .required(),
    used_field<Draft>("system", JsonType::kAny, {}, read_system)
        .about("The system prompt, as text or blocks of text.")
        .schema(R"({"anyOf":[{"type":["string","null"]},{"type":"array","minItems":1,)"
                R"("items":{"$ref":"#/components/schemas/AnthropicTextBlock"}}]})"),
    no_effect_field<Draft>("cache_control", JsonType::kObject),
    neutral_field<Draft>("context_management"),
    neutral_field<Draft>("mcp_servers", "[[]]"),
    used_field<Draft>("output_config", JsonType::kObject, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_object<Draft>(value.get_object(), {kOutputConfigFields}, path,
                                                  draft);
                      })
        .schema(R"({"anyOf":[{"$ref":"#/components/schemas/AnthropicOutputConfig"},)"
                R"({"type":"null"}]})"),
    used_field<Draft>("output_format", JsonType::kObject, {}, read_format)
        .about("The same as output_config.format.")
        .schema(kFormatSchema),
    neutral_field<Draft>("thinking", R"([{"type": "disabled"}])"),
    neutral_field<Draft>("tool_choice", R"([{"type": "none"}])"),
    neutral_field<Draft>("tools", "[[]]"),
};

constexpr Field<Draft> kAnswerFields[] = {
    used_field<Draft>("max_tokens", JsonType::kInteger, {1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.max_tokens = read_uint32(value);
                        return {};
                      })
        .about("The longest answer, in tokens; the context may end it earlier.")
        .required(),
    used_field<Draft>("stop_sequences", JsonType::kList, {0, kMaxStops}, read_stop_sequences)
        .about("The answer ends before the first of these texts.")
        .schema(R"({"type":["array","null"],"maxItems":16,)"
                R"("items":{"type":"string","minLength":1,"maxLength":1024}})"),
    Common::kStream,
    no_effect_field<Draft>("metadata", JsonType::kObject),
    neutral_field<Draft>("container"),
    neutral_field<Draft>("inference_geo"),
    neutral_field<Draft>("diagnostics"),
    neutral_field<Draft>("service_tier", R"(["auto", "standard_only"])"),
    neutral_field<Draft>("speed", R"(["standard"])"),
};

void take_messages(Draft& draft) {
  draft.turn.continues_last = draft.messages.back().role == Role::kAssistant;
  if (draft.system) {
    draft.messages.insert(draft.messages.begin(), Message{Role::kSystem, *draft.system});
  }
  draft.turn.input = std::move(draft.messages);
}

}  // namespace

Result<AnthropicRequest> parse_anthropic_request(std::string_view body, std::uint32_t n_vocab) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  Draft draft;
  draft.n_vocab = n_vocab;
  JARIP_CHECK(read_object<Draft>(
      object, {kPromptFields, kAnswerFields, Common::kSampling, Common::kShare}, {}, draft));
  JARIP_CHECK(settle_common(draft));
  take_messages(draft);
  return AnthropicRequest{std::move(draft.turn), draft.is_stream};
}

Result<Turn> parse_anthropic_count(std::string_view body) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  Draft draft;
  JARIP_CHECK(read_object<Draft>(object, {kPromptFields}, {}, draft));
  take_messages(draft);
  return std::move(draft.turn);
}

void describe_anthropic_requests(SchemaSet& schemas) {
  schemas.add_object<TextPart>("AnthropicTextBlock", {text_part_fields(), kBlockFields},
                               "A block of text.");
  schemas.add_object<Draft>("AnthropicOutputConfig", {kOutputConfigFields});
  schemas.add_object<Message>("AnthropicMessage", {kMessageFields});
  schemas.add_object<Draft>("AnthropicMessagesRequest",
                            {kPromptFields, kAnswerFields, Common::kSampling, Common::kShare});
  schemas.add_object<Draft>("AnthropicCountTokensRequest", {kPromptFields});
}

}  // namespace jarip

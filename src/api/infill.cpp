#include "api/infill.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "api/answer_form.h"
#include "api/common_fields.h"
#include "api/error_reply.h"
#include "api/field_table.h"
#include "api/json_body.h"
#include "net/sse.h"

namespace jarip {
namespace {

namespace json = boost::json;

using Json = const json::value&;
using Path = std::string_view;

constexpr std::size_t kMaxFiles = 1024;
constexpr std::size_t kMaxResponseFields = 64;
constexpr double kMaxMs = 86'400'000;
constexpr double kMsPerSecond = 1000;

struct Draft : AnswerDraft {
  Infill infill;
  std::optional<std::int64_t> n_predict;
  std::optional<std::vector<std::string>> samplers;
  std::vector<std::string> response_fields;
};
using Common = CommonFields<Draft>;

constexpr Field<Infill::File> kFileFields[] = {
    used_field<Infill::File>("filename", JsonType::kString, {},
                             [](Json value, Path, Infill::File& file) -> Result<void> {
                               file.name = std::string(value.get_string());
                               return {};
                             }),
    used_field<Infill::File>("text", JsonType::kString, {},
                             [](Json value, Path, Infill::File& file) -> Result<void> {
                               file.text = std::string(value.get_string());
                               return {};
                             })
        .required(),
    no_effect_field<Infill::File>("time", JsonType::kAny),  // when the plugin saw it
};

Result<void> read_files(Json value, Path path, Draft& draft) {
  for (std::size_t i = 0; i < value.get_array().size(); ++i) {
    const std::string file_path = join_path(path, i);
    const auto* object = value.get_array()[i].if_object();
    if (object == nullptr) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be an object", file_path),
                  file_path);
    }
    Infill::File file;
    JARIP_CHECK(read_object<Infill::File>(*object, {kFileFields}, file_path, file));
    draft.infill.files.push_back(std::move(file));
  }
  return {};
}

Result<std::vector<std::string>> read_strings(Json value, Path path) {
  std::vector<std::string> strings;
  for (std::size_t i = 0; i < value.get_array().size(); ++i) {
    const json::value& item = value.get_array()[i];
    const std::string item_path = join_path(path, i);
    if (!item.is_string()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be a string", item_path),
                  item_path);
    }
    strings.emplace_back(item.get_string());
  }
  return strings;
}

template <std::string Infill::* member>
Result<void> read_text(Json value, Path /*path*/, Draft& draft) {
  draft.infill.*member = std::string(value.get_string());
  return {};
}

constexpr Field<Draft> kFields[] = {
    Common::kModel,
    used_field<Draft>("input_prefix", JsonType::kString, {}, read_text<&Infill::prefix>)
        .about("The text before the gap.")
        .required(),
    used_field<Draft>("input_suffix", JsonType::kString, {}, read_text<&Infill::suffix>)
        .about("The text after the gap.")
        .required(),
    used_field<Draft>("input_extra", JsonType::kList, {0, kMaxFiles}, read_files)
        .about("Other files, for context.")
        .schema(R"({"type":["array","null"],"maxItems":1024,)"
                R"("items":{"$ref":"#/components/schemas/InfillFile"}})"),
    used_field<Draft>("prompt", JsonType::kString, {}, read_text<&Infill::begun>)
        .about("How the gap's text begins."),
    used_field<Draft>("n_predict", JsonType::kInteger, {-1, kMaxInt32},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.n_predict = *read_integer(value);
                        return {};
                      })
        .about("The longest answer, in tokens; -1: whatever the context leaves; 0: none, the "
               "prompt is only read ahead."),
    used_field<Draft>("n_indent", JsonType::kInteger, {0, 1000},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        draft.turn.min_indent = read_uint32(value);
                        return {};
                      })
        .about("The answer ends before a line that is indented by fewer spaces and tabs."),
    used_field<Draft>("t_max_predict_ms", JsonType::kInteger, {0, kMaxMs},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        if (*read_integer(value) > 0) draft.turn.line_time_ms = read_number(value);
                        return {};
                      })
        .about("After this long the answer ends with its line. The one field that makes answers "
               "depend on time; 0 is off."),
    used_field<Draft>("samplers", JsonType::kList, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        JARIP_TRY(draft.samplers, read_strings(value, path));
                        return {};
                      })
        .about("Those of penalties, top_k, top_p, min_p and temperature that aren't named are "
               "off. \"infill\" takes the likeliest token always.")
        .schema(R"({"type":["array","null"],"items":{"enum":["penalties","top_k","top_p",)"
                R"("min_p","temperature","infill"]}})"),
    used_field<Draft>("response_fields", JsonType::kList, {0, kMaxResponseFields},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        JARIP_TRY(draft.response_fields, read_strings(value, path));
                        return {};
                      })
        .about("What of the answer is sent, by paths such as timings/predicted_ms. Not in streams.")
        .schema(R"({"type":["array","null"],"maxItems":64,"items":{"type":"string"}})"),
    used_field<Draft>("seed", JsonType::kInteger, {},
                      [](Json value, Path, Draft& draft) -> Result<void> {
                        const std::int64_t seed = *read_integer(value);
                        if (seed != -1) draft.turn.seed = static_cast<std::uint64_t>(seed);
                        return {};
                      })
        .about("-1 and absent: one is drawn.")
        .schema(R"({"type":["integer","null"],"minimum":-9223372036854775808,)"
                R"("maximum":9223372036854775807})"),
    used_field<Draft>("stop", JsonType::kAny, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return read_stop(value, path, draft.turn);
                      })
        .about("The answer ends before the first of these texts.")
        .schema(kStopSchema),
    used_field<Draft>("grammar", JsonType::kString, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        if (value.get_string().empty()) return {};
                        return take_form(text_form(GrammarKind::kEbnf, value, path), draft);
                      })
        .about("A grammar in EBNF that the answer must match."),
    used_field<Draft>("json_schema", JsonType::kAny, {},
                      [](Json value, Path path, Draft& draft) -> Result<void> {
                        return take_form(read_schema_form(value, path), draft);
                      })
        .about("A JSON schema that the answer must match.")
        .schema(kSchemaSchema),
    Common::kStream,
    no_effect_field<Draft>("cache_prompt", JsonType::kBool),
    no_effect_field<Draft>("id_slot", JsonType::kInteger),
    no_effect_field<Draft>("t_max_prompt_ms", JsonType::kInteger),
};

// The samplers named, in whatever order: each is applied where this program applies it.
Result<void> settle_samplers(Draft& draft) {
  if (!draft.samplers) return {};
  SamplingParams& sampling = draft.turn.sampling;
  const SamplingParams wanted = sampling;
  sampling = {.logit_bias = wanted.logit_bias, .seed = wanted.seed};
  for (std::size_t i = 0; i < draft.samplers->size(); ++i) {
    const std::string& name = (*draft.samplers)[i];
    if (name == "temperature" || name == "infill") {
      sampling.temperature = name == "infill" ? 0 : wanted.temperature;
    } else if (name == "top_k") {
      sampling.top_k = wanted.top_k;
    } else if (name == "top_p") {
      sampling.top_p = wanted.top_p;
    } else if (name == "min_p") {
      sampling.min_p = wanted.min_p;
    } else if (name == "penalties") {
      sampling.repetition_penalty = wanted.repetition_penalty;
      sampling.presence_penalty = wanted.presence_penalty;
      sampling.frequency_penalty = wanted.frequency_penalty;
    } else {
      const std::string path = join_path("samplers", i);
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{} is supported only as penalties, top_k, top_p, min_p, temperature "
                              "or infill",
                              path),
                  path);
    }
  }
  return {};
}

Result<void> settle(Draft& draft) {
  if (!draft.response_fields.empty() && draft.is_stream) {
    return fail(ErrorCode::kUnsupported, "response_fields are not supported in streams",
                "response_fields");
  }
  JARIP_CHECK(settle_common(draft));
  JARIP_CHECK(settle_samplers(draft));
  const std::int64_t n_predict = draft.n_predict.value_or(-1);
  if (n_predict >= 0) {
    draft.turn.max_new_tokens = static_cast<std::uint32_t>(std::max<std::int64_t>(n_predict, 1));
  }
  draft.turn.input = std::move(draft.infill);
  return {};
}

double per_second(std::uint32_t n, double ms) { return ms > 0 ? n * kMsPerSecond / ms : 0; }
double per_token(std::uint32_t n, double ms) { return n > 0 ? ms / n : 0; }

json::object timings_of(const TurnEnd& end, std::uint32_t n_new) {
  const std::uint32_t n_read = end.n_prompt_tokens - end.n_cached_tokens;
  return {{"cache_n", end.n_cached_tokens},
          {"prompt_n", n_read},
          {"prompt_ms", end.prefill_ms},
          {"prompt_per_token_ms", per_token(n_read, end.prefill_ms)},
          {"prompt_per_second", per_second(n_read, end.prefill_ms)},
          {"predicted_n", n_new},
          {"predicted_ms", end.decode_ms},
          {"predicted_per_token_ms", per_token(n_new, end.decode_ms)},
          {"predicted_per_second", per_second(n_new, end.decode_ms)}};
}

json::object answer_of(std::string_view model, std::string_view content, bool has_line_end,
                       const TurnEnd& end, bool is_warm_up) {
  const std::uint32_t n_new = is_warm_up ? 0 : end.n_new_tokens;
  const bool is_cut = end.finish == TurnFinish::kLength || is_warm_up;
  return {{"index", 0},
          {"content", content},
          {"stop", true},
          {"model", model},
          {"tokens_predicted", n_new},
          {"tokens_evaluated", end.n_prompt_tokens},
          {"tokens_cached", end.n_prompt_tokens + n_new},
          {"has_new_line", has_line_end},
          {"truncated", false},
          {"stop_type", end.stop ? "word"
                        : is_cut ? "limit"
                                 : "eos"},
          {"stopping_word", end.stop.value_or("")},
          {"seed", static_cast<std::int64_t>(end.seed)},
          {"timings", timings_of(end, n_new)}};
}

// A member of members, by its path; null: there is none.
const json::value* find_path(const json::object& object, std::string_view path) {
  const std::size_t slash = path.find('/');
  const auto* value = object.if_contains(path.substr(0, slash));
  if (value == nullptr || slash == std::string_view::npos) return value;
  const auto* inner = value->if_object();
  return inner == nullptr ? nullptr : inner->if_contains(path.substr(slash + 1));
}

}  // namespace

Result<AnswerPlan> plan_infill(std::string_view body, const ModelCard& card) {
  JARIP_TRY(const json::object object, parse_json_object(body));
  Draft draft;
  draft.n_vocab = card.n_vocab;
  JARIP_CHECK(read_object<Draft>(object, {kFields, Common::kSampling, Common::kShare}, {}, draft));
  JARIP_CHECK(settle(draft));
  const bool is_warm_up = draft.n_predict == 0;
  return AnswerPlan{.turn = std::move(draft.turn),
                    .is_stream = draft.is_stream,
                    .writer = std::make_unique<InfillWriter>(
                        card.name, std::move(draft.response_fields), is_warm_up)};
}

void describe_infill(SchemaSet& schemas) {
  schemas.add_object<Infill::File>("InfillFile", {kFileFields});
  schemas.add_object<Draft>("InfillRequest", {kFields, Common::kSampling, Common::kShare});
}

InfillWriter::InfillWriter(std::string model, std::vector<std::string> response_fields,
                           bool is_warm_up)
    : model_(std::move(model)),
      response_fields_(std::move(response_fields)),
      is_warm_up_(is_warm_up) {}

void InfillWriter::append_delta(std::string& out, std::uint32_t /*choice*/,
                                const TextDelta& delta) {
  if (delta.text.empty() || is_warm_up_) return;
  has_line_end_ = has_line_end_ || delta.text.contains('\n');
  append_sse_event(
      out, fmt::format(R"({{"index":0,"content":{},"stop":false}})", json_string(delta.text)));
}

void InfillWriter::append_end(std::string& out, std::uint32_t /*choice*/, const TurnEnd& end) {
  append_sse_event(out, json::serialize(answer_of(model_, {}, has_line_end_, end, is_warm_up_)));
}

void InfillWriter::append_error(std::string& out, const Error& error) {
  append_sse_event(out, error_json(error));
}

std::string InfillWriter::whole(const std::vector<WholeAnswer>& answers) {
  const WholeAnswer& answer = answers.front();
  const std::string_view content = is_warm_up_ ? std::string_view() : answer.text;
  const json::object all =
      answer_of(model_, content, content.contains('\n'), answer.end, is_warm_up_);
  if (response_fields_.empty()) return json::serialize(all);
  json::object chosen;
  for (const std::string& path : response_fields_) {
    if (const auto* value = find_path(all, path)) chosen[path] = *value;
  }
  return json::serialize(chosen);
}

}  // namespace jarip

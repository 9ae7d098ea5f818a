// What requests for an answer have in common, whatever their dialect: a draft that fields are read
// into, and the rows of those fields. A dialect's own draft derives from AnswerDraft and adds what
// is its own. Pure functions.
#pragma once

#include <algorithm>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/field_table.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

// A request while its fields come in, in whatever order.
struct AnswerDraft {
  Turn turn;
  std::uint32_t n_vocab = 0;
  bool is_stream = false;
  std::optional<std::uint32_t> max_tokens;
  std::optional<float> repetition_penalty;
  std::optional<float> repeat_penalty;
  std::vector<AnswerForm> forms;  // more than one is a mistake
  std::optional<std::uint32_t> thinking_budget;
  std::string thinking_budget_field;
  std::string tool_choice_field;  // where the choice is, or the name in it
};

inline constexpr double kMaxInt32 = std::numeric_limits<std::int32_t>::max();
inline constexpr std::size_t kMaxStops = 16;
inline constexpr std::size_t kMaxStopCharacters = 1024;
inline constexpr double kMaxBias = 100;
inline constexpr std::uint32_t kMaxLogprobs = 20;
inline constexpr double kMaxTimeoutSeconds = 1e6;

inline constexpr std::string_view kStopSchema =
    R"({"anyOf":[{"type":"string","minLength":1,"maxLength":1024},{"type":"null"},)"
    R"({"type":"array","maxItems":16,)"
    R"("items":{"type":"string","minLength":1,"maxLength":1024}}]})";

[[nodiscard]] float read_float(const boost::json::value& value);
[[nodiscard]] std::uint32_t read_uint32(const boost::json::value& value);

// A token id below n_vocab.
[[nodiscard]] Result<TokenId> read_token(const boost::json::value& value, std::string_view path,
                                         std::uint32_t n_vocab);
[[nodiscard]] Result<std::vector<TokenId>> read_tokens(const boost::json::value& list,
                                                       std::string_view path,
                                                       std::uint32_t n_vocab);
// One stop string or a list of them.
[[nodiscard]] Result<void> read_stop(const boost::json::value& value, std::string_view path,
                                     Turn& turn);
[[nodiscard]] Result<void> read_logit_bias(const boost::json::value& value, std::string_view path,
                                           AnswerDraft& draft);
// What a field says that the answer must match, if it says so.
[[nodiscard]] Result<void> take_form(Result<std::optional<AnswerForm>> form, AnswerDraft& draft);
// What depends on more than one field. Last of all.
[[nodiscard]] Result<void> settle_common(AnswerDraft& draft);

// Rows for a dialect whose draft is Draft.
template <class Draft>
struct CommonFields {
  using Json = const boost::json::value&;
  using Path = std::string_view;

  static constexpr Field<Draft> kModel =
      used_field<Draft>("model", JsonType::kString, {1, 256},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.model = std::string(value.get_string());
                          return {};
                        })
          .about("The model's name, as /v1/models tells it. Absent: the server's default.");

  static constexpr Field<Draft> kStream =
      used_field<Draft>("stream", JsonType::kBool, {},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.is_stream = value.get_bool();
                          return {};
                        })
          .about("Send the answer in pieces, as server-sent events.");

  // How tokens are drawn.
  // These change no answer: whose share of the machine it takes, when it gets it, and for how long
  // it is wanted.
  static constexpr Field<Draft> kUser =
      used_field<Draft>("user", JsonType::kString, {0, kMaxUserBytes},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.user = value.get_string();
                          return {};
                        })
          .about("Users share the machine; a key is one user, whatever users it names.");

  static constexpr Field<Draft> kShare[] = {
      used_field<Draft>("priority", JsonType::kInteger, {-kMaxInt32, kMaxInt32},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.priority = static_cast<std::int32_t>(*read_integer(value));
                          return {};
                        })
          .about("Among one user's requests the lowest number goes first; 0 where it is absent."),
      used_field<Draft>("max_queue_ms", JsonType::kInteger, {1, kMaxInt32},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.max_queue_ms = read_uint32(value);
                          return {};
                        })
          .about("Give up with a 503 if the answer hasn't begun after this long."),
      used_field<Draft>("timeout", JsonType::kNumber, {0.001, kMaxTimeoutSeconds},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.timeout_ms =
                              static_cast<std::uint32_t>(read_number(value) * 1000.0);
                          return {};
                        })
          .about("Seconds after which the answer isn't wanted any more; a 504 then."),
  };

  static constexpr Field<Draft> kSampling[] = {
      used_field<Draft>("temperature", JsonType::kNumber, {0, 2},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.sampling.temperature = read_float(value);
                          return {};
                        })
          .about("0 takes the likeliest token always; higher values choose more freely."),
      used_field<Draft>("top_p", JsonType::kNumber, {0, 1},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.sampling.top_p = read_float(value);
                          return {};
                        })
          .about("Draw only from the likeliest tokens that together have this probability."),
      // -1 is how some clients write "off".
      used_field<Draft>("top_k", JsonType::kInteger, {-1, kMaxInt32},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.sampling.top_k = static_cast<std::uint32_t>(
                              std::max<std::int64_t>(*read_integer(value), 0));
                          return {};
                        })
          .about("Draw only from this many likeliest tokens; 0 and -1 turn it off."),
      used_field<Draft>("min_p", JsonType::kNumber, {0, 1},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.sampling.min_p = read_float(value);
                          return {};
                        })
          .about("Leave out tokens less likely than this part of the likeliest one."),
      used_field<Draft>("repetition_penalty", JsonType::kNumber, {0.01, 10},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.repetition_penalty = read_float(value);
                          return {};
                        })
          .about("Above 1: makes tokens of prompt and answer less likely to come again."),
      used_field<Draft>("repeat_penalty", JsonType::kNumber, {0.01, 10},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.repeat_penalty = read_float(value);
                          return {};
                        })
          .about("The same as repetition_penalty, by its other name; only one may be given."),
      used_field<Draft>("presence_penalty", JsonType::kNumber, {-2, 2},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.sampling.presence_penalty = read_float(value);
                          return {};
                        })
          .about("Above 0: makes tokens that the answer has already less likely."),
      used_field<Draft>("frequency_penalty", JsonType::kNumber, {-2, 2},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.sampling.frequency_penalty = read_float(value);
                          return {};
                        })
          .about("Above 0: makes tokens less likely by how often the answer has them."),
      used_field<Draft>("logit_bias", JsonType::kObject, {},
                        [](Json value, Path path, Draft& draft) -> Result<void> {
                          return read_logit_bias(value, path, draft);
                        })
          .about("Token ids and what is added to their logits, -100 to 100.")
          .schema(R"({"type":["object","null"],"additionalProperties":false,)"
                  R"("patternProperties":{"^(0|[1-9][0-9]{0,9})$":)"
                  R"({"type":"number","minimum":-100,"maximum":100}}})"),
      used_field<Draft>("seed", JsonType::kInteger, {},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.seed = static_cast<std::uint64_t>(*read_integer(value));
                          return {};
                        })
          .about("The same request with the same seed gets the same answer, byte for byte. "
                 "Absent: one is drawn, and told in the answer and in the header x-jarip-seed.")
          .schema(R"({"type":["integer","null"],"minimum":-9223372036854775808,)"
                  R"("maximum":9223372036854775807})"),
      used_field<Draft>("ignore_eos", JsonType::kBool, {},
                        [](Json value, Path, Draft& draft) -> Result<void> {
                          draft.turn.ignore_end_tokens = value.get_bool();
                          return {};
                        })
          .about("Go on when the model would end its answer; for benchmarks."),
  };
};

}  // namespace jarip

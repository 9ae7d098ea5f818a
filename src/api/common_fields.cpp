#include "api/common_fields.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <system_error>
#include <utility>

namespace jarip {

namespace json = boost::json;

float read_float(const json::value& value) { return static_cast<float>(read_number(value)); }

std::uint32_t read_uint32(const json::value& value) {
  return static_cast<std::uint32_t>(*read_integer(value));
}

Result<TokenId> read_token(const json::value& value, std::string_view path, std::uint32_t n_vocab) {
  JARIP_CHECK(check_value({path, JsonType::kInteger}, value, path));
  const auto id = read_integer(value);
  if (id && *id >= 0 && *id < n_vocab) return static_cast<TokenId>(*id);
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} must be a token id of this model, 0 to {}; ids made by another "
                          "model's tokenizer mean nothing here: send the text itself",
                          path, n_vocab - 1),
              std::string(path));
}

Result<std::vector<TokenId>> read_tokens(const json::value& list, std::string_view path,
                                         std::uint32_t n_vocab) {
  const json::array& items = list.get_array();
  std::vector<TokenId> tokens;
  tokens.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    JARIP_TRY(const TokenId token, read_token(items[i], join_path(path, i), n_vocab));
    tokens.push_back(token);
  }
  return tokens;
}

Result<void> read_stop(const json::value& value, std::string_view path, Turn& turn) {
  const FieldRule rule{path, JsonType::kString, FieldUse::kUsed, {1, kMaxStopCharacters}};
  if (const auto* list = value.if_array()) {
    JARIP_CHECK(check_value({path, JsonType::kList, FieldUse::kUsed, {0, kMaxStops}}, value, path));
    for (std::size_t i = 0; i < list->size(); ++i) {
      JARIP_CHECK(check_value(rule, (*list)[i], join_path(path, i)));
      turn.stop.emplace_back((*list)[i].get_string());
    }
    return {};
  }
  JARIP_CHECK(check_value(rule, value, path));
  turn.stop.emplace_back(value.get_string());
  return {};
}

Result<void> read_logit_bias(const json::value& value, std::string_view path, AnswerDraft& draft) {
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
    draft.turn.sampling.logit_bias.emplace_back(token, read_float(bias));
  }
  return {};
}

Result<void> take_form(Result<std::optional<AnswerForm>> form, AnswerDraft& draft) {
  if (!form) return std::unexpected(std::move(form).error());
  if (*form) draft.forms.push_back(**std::move(form));
  return {};
}

Result<void> settle_common(AnswerDraft& draft) {
  if (draft.forms.size() > 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} and {} both say what the answer must match; give one of them",
                            draft.forms[0].field, draft.forms[1].field),
                draft.forms[1].field);
  }
  if (!draft.forms.empty()) draft.turn.form = std::move(draft.forms[0]);
  if (draft.repetition_penalty && draft.repeat_penalty) {
    return fail(ErrorCode::kInvalidArgument,
                "repetition_penalty and repeat_penalty say the same; give one of them",
                "repeat_penalty");
  }
  if (const auto penalty =
          draft.repetition_penalty ? draft.repetition_penalty : draft.repeat_penalty) {
    draft.turn.sampling.repetition_penalty = *penalty;
  }
  if (draft.thinking_budget && !draft.turn.thinking.max_tokens) {
    draft.turn.thinking.max_tokens = draft.thinking_budget;
    draft.turn.thinking.budget_field = draft.thinking_budget_field;
  }
  draft.turn.max_new_tokens = draft.max_tokens;
  return {};
}

}  // namespace jarip

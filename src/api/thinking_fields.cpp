#include "api/thinking_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <string>

namespace jarip {
namespace {

namespace json = boost::json;

using Json = const json::value&;
using Path = std::string_view;

constexpr std::array<std::string_view, 7> kEfforts = {"none", "minimal", "low", "medium",
                                                      "high", "xhigh",   "max"};
constexpr std::size_t kMaxVariables = 32;
constexpr std::size_t kMaxVariableName = 64;
// What the server itself tells a template.
constexpr std::array<std::string_view, 6> kTaken = {
    "messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token"};

bool is_name(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && text.size() <= kMaxVariableName && is_letter(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

struct ThinkingDraft {
  std::string type;
  std::optional<std::uint32_t> budget;
};

constexpr Field<ThinkingDraft> kThinkingFields[] = {
    used_field<ThinkingDraft>("type", JsonType::kString, {},
                              [](Json value, Path, ThinkingDraft& draft) -> Result<void> {
                                draft.type = std::string(value.get_string());
                                return {};
                              })
        .required(),
    used_field<ThinkingDraft>("budget_tokens", JsonType::kInteger, {1, kMaxInt32},
                              [](Json value, Path, ThinkingDraft& draft) -> Result<void> {
                                draft.budget = read_uint32(value);
                                return {};
                              }),
};

}  // namespace

Result<void> read_effort(Json value, Path path, AnswerDraft& draft) {
  const std::string_view word = value.get_string();
  if (std::ranges::find(kEfforts, word) == kEfforts.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be none, minimal, low, medium, high, xhigh or max", path),
                std::string(path));
  }
  Thinking& thinking = draft.turn.thinking;
  thinking.field = path;
  if (word == "none") {
    thinking.wanted = false;
    thinking.max_tokens = 0;
    thinking.budget_field = path;
  } else {
    thinking.effort = word;
  }
  return {};
}

Result<void> read_thinking_budget(Json value, Path path, AnswerDraft& draft) {
  draft.thinking_budget = read_uint32(value);
  draft.thinking_budget_field = path;
  return {};
}

Result<void> read_template_variables(Json value, Path path, AnswerDraft& draft) {
  const json::object& object = value.get_object();
  if (object.size() > kMaxVariables) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} can have {} variables at most", path, kMaxVariables),
                std::string(path));
  }
  for (const auto& [key, variable] : object) {
    const std::string_view name = key;
    const std::string field = join_path(path, name.substr(0, kMaxVariableName));
    if (!is_name(name)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is no name of a variable: letters, digits and _, {} at most",
                              field, kMaxVariableName),
                  field);
    }
    if (std::ranges::find(kTaken, name) != kTaken.end()) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{} is set by the server; it can't be given", field), field);
    }
    draft.turn.variables.push_back({std::string(name), json::serialize(variable), field});
  }
  return {};
}

Result<void> read_anthropic_thinking(Json value, Path path, AnswerDraft& draft) {
  ThinkingDraft read;
  JARIP_CHECK(read_object<ThinkingDraft>(value.get_object(), {kThinkingFields}, path, read));
  const std::string budget_path = join_path(path, "budget_tokens");
  if (read.type != "enabled" && read.type != "disabled" && read.type != "adaptive") {
    const std::string type_path = join_path(path, "type");
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} must be enabled, disabled or adaptive", type_path), type_path);
  }
  if (read.type != "enabled" && read.budget) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} belongs to the type enabled only", budget_path), budget_path);
  }
  if (read.type == "adaptive") return {};  // as much as the model likes
  Thinking& thinking = draft.turn.thinking;
  thinking.field = path;
  thinking.wanted = read.type == "enabled";
  thinking.budget_field = *thinking.wanted ? budget_path : std::string(path);
  if (*thinking.wanted && !read.budget) return missing_field(budget_path);
  thinking.max_tokens = read.budget.value_or(0);
  return {};
}

}  // namespace jarip

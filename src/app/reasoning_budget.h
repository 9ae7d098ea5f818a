// Ends an answer's reasoning when it has had its tokens: from the answer's tokens to the one that
// must come next, which are those of the closing mark. A function of the tokens alone. Copied with
// its request; on the engine's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "app/reasoning_meter.h"
#include "model/tokenizer.h"

namespace jarip {

// Both outlive the budget.
struct BudgetTokens {
  std::function<std::string_view(TokenId)> text_of;              // of a token in an answer
  std::function<std::vector<TokenId>(std::string_view)> encode;  // control tokens by their names
};

class ReasoningBudget {
 public:
  // begun: the prompt has opened the reasoning.
  ReasoningBudget(const ReasoningShape& shape, bool begun, std::uint32_t max_tokens,
                  BudgetTokens tokens);

  // Whether the tokenizer can write what is missing of the mark, wherever the model left off.
  [[nodiscard]] bool can_close() const;

  // As ForceToken. A character that has begun is ended first, 3 tokens later at most.
  [[nodiscard]] std::optional<TokenId> operator()(std::optional<TokenId> last);

 private:
  [[nodiscard]] std::optional<TokenId> first_token_of(std::string_view rest) const;

  ReasoningShape shape_;
  ReasoningMeter meter_;
  std::uint32_t max_tokens_;
  BudgetTokens tokens_;
};

}  // namespace jarip

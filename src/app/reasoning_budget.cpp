#include "app/reasoning_budget.h"

#include <cstddef>
#include <utility>

namespace jarip {

ReasoningBudget::ReasoningBudget(const ReasoningShape& shape, bool begun, std::uint32_t max_tokens,
                                 BudgetTokens tokens)
    : shape_(shape), meter_(shape, begun), max_tokens_(max_tokens), tokens_(std::move(tokens)) {}

bool ReasoningBudget::can_close() const {
  for (std::size_t n = 0; n < shape_.close.size(); ++n) {
    if (!first_token_of(shape_.close.substr(n))) return false;
  }
  return true;
}

std::optional<TokenId> ReasoningBudget::operator()(std::optional<TokenId> last) {
  if (last) meter_.take(tokens_.text_of(*last));
  const bool is_spent = meter_.is_open() && meter_.n_tokens() >= max_tokens_;
  if (!is_spent || !meter_.is_between_characters()) return std::nullopt;
  return first_token_of(meter_.rest_of_close());
}

// Some tokenizers put white space before a text; it is no part of the mark.
std::optional<TokenId> ReasoningBudget::first_token_of(std::string_view rest) const {
  for (const TokenId token : tokens_.encode(rest)) {
    const std::string_view text = tokens_.text_of(token);
    if (!text.empty() && rest.starts_with(text)) return token;
  }
  return std::nullopt;
}

}  // namespace jarip

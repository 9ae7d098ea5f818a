// How a model's next-token distributions compare with a text and with another model's: what is
// measured at each token, and what is said of all of them. Free functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/token.h"

namespace jarip {

// At one token, in nats.
struct TokenDivergence {
  double kl = 0;             // sum of p ln(p / q) over the vocabulary, p the base's
  double surprise = 0;       // -ln q(token)
  double base_surprise = 0;  // -ln p(token)
  bool same_top = false;     // both find the same token the likeliest
};

// base, logits: [n_vocab]; token: the one that the text goes on with.
[[nodiscard]] TokenDivergence diverge(std::span<const float> base, std::span<const float> logits,
                                      TokenId token);

// -ln p(token), in nats. logits: [n_vocab].
[[nodiscard]] double surprise(std::span<const float> logits, TokenId token);

// Of tokens' surprises: e to their mean, and the standard error of that if they were independent.
struct Perplexity {
  double value = 0;
  double error = 0;
};
[[nodiscard]] Perplexity perplexity(std::span<const double> surprises);

struct DivergenceSummary {
  std::uint64_t n_tokens = 0;
  double mean_kl = 0;
  double error = 0;  // standard error of the mean
  double median_kl = 0;
  double p99_kl = 0;
  double max_kl = 0;
  double same_top = 0;     // share, 0 to 1
  double rms_delta_p = 0;  // of the text's own token's probability
  Perplexity perplexity;
  Perplexity base_perplexity;
};
// tokens: at least one.
[[nodiscard]] DivergenceSummary summarize(std::span<const TokenDivergence> tokens);

}  // namespace jarip

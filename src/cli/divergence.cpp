#include "cli/divergence.h"

#include <algorithm>
#include <cmath>

namespace jarip {
namespace {

// ln of the sum of e^logit, and where the largest is.
struct LogSum {
  double value = 0;
  std::size_t top = 0;
};

LogSum log_sum(std::span<const float> logits) {
  const auto largest = std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - double{*largest});
  return {double{*largest} + std::log(sum), static_cast<std::size_t>(largest - logits.begin())};
}

struct Moments {
  double mean = 0;
  double error = 0;  // standard error of the mean
};

Moments moments_of(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, n > 1 ? std::sqrt(squares / (n - 1) / n) : 0};
}

// Of sorted values.
double quantile(std::span<const double> sorted, double share) {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

TokenDivergence diverge(std::span<const float> base, std::span<const float> logits, TokenId token) {
  const LogSum of_base = log_sum(base);
  const LogSum own = log_sum(logits);
  TokenDivergence at{.surprise = own.value - double{logits[token]},
                     .base_surprise = of_base.value - double{base[token]},
                     .same_top = of_base.top == own.top};
  for (std::size_t i = 0; i < base.size(); ++i) {
    const double log_p = double{base[i]} - of_base.value;
    const double p = std::exp(log_p);
    if (p > 0) at.kl += p * (log_p - (double{logits[i]} - own.value));
  }
  at.kl = std::max(at.kl, 0.0);  // rounding
  return at;
}

double surprise(std::span<const float> logits, TokenId token) {
  return log_sum(logits).value - double{logits[token]};
}

Perplexity perplexity(std::span<const double> surprises) {
  const auto [mean, error] = moments_of(surprises);
  return {std::exp(mean), std::exp(mean) * error};
}

DivergenceSummary summarize(std::span<const TokenDivergence> tokens) {
  std::vector<double> kl;
  std::vector<double> surprises;
  std::vector<double> base_surprises;
  std::uint64_t n_same = 0;
  double squares = 0;
  for (const TokenDivergence& token : tokens) {
    kl.push_back(token.kl);
    surprises.push_back(token.surprise);
    base_surprises.push_back(token.base_surprise);
    n_same += token.same_top ? 1 : 0;
    const double delta = std::exp(-token.surprise) - std::exp(-token.base_surprise);
    squares += delta * delta;
  }
  const auto n = static_cast<double>(tokens.size());
  const auto [mean, error] = moments_of(kl);
  std::ranges::sort(kl);
  return {.n_tokens = tokens.size(),
          .mean_kl = mean,
          .error = error,
          .median_kl = quantile(kl, 0.5),
          .p99_kl = quantile(kl, 0.99),
          .max_kl = kl.back(),
          .same_top = static_cast<double>(n_same) / n,
          .rms_delta_p = std::sqrt(squares / n),
          .perplexity = perplexity(surprises),
          .base_perplexity = perplexity(base_surprises)};
}

}  // namespace jarip

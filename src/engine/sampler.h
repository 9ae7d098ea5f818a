// Chooses the next token from a model's logits. Owned and called by the engine's thread; the
// choice is a pure function of the arguments (law L1), the object only holds scratch memory.
//
// The order is fixed:
//   1. repetition penalty (Keskar et al., CTRL, 2019): the logit of every token that occurs in the
//      prompt or the answer is divided by the penalty if positive, multiplied if negative;
//   2. presence and frequency penalty, as OpenAI defines them: the logit of a token that occurs
//      n > 0 times in the answer falls by presence + n * frequency;
//   3. logit bias is added;
//   4. tokens that the mask doesn't allow are out, whatever their logits;
//   5. temperature 0: the largest logit wins. Otherwise:
//   6. each token gets a weight, exp((logit - largest) / temperature) in single precision, rounded
//      to whole units of 2^-40. Tokens are ranked by weight. All sums of weights are sums of
//      integers, so no order of summation can change them;
//   7. top-k keeps the first k tokens of the ranking;
//   8. top-p keeps of these the shortest prefix that has at least top_p of their weight;
//   9. min-p keeps of these the ones with at least min_p of the first one's weight;
//  10. the draw: 64 random bits keyed by seed and position pick a token in proportion to its
//      weight, the tokens kept lying in ascending order of id.
// Equal logits or weights always rank the lower id first. Temperature comes before the filters, as
// in the APIs of OpenAI and vLLM; llama.cpp's default chain applies it after them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace jarip {

struct SampleRequest {
  std::span<const float> logits = {};    // [n_vocab]
  std::span<const TokenId> tokens = {};  // prompt and answer so far, every id < n_vocab
  std::uint32_t n_prompt = 0;            // how many of them are the prompt
  std::optional<std::uint32_t> n_logprobs = {};
  // A bit a token: those that may be drawn, at least one. Empty: all.
  std::span<const std::uint64_t> allowed = {};
};

struct SampledToken {
  TokenId token = 0;
  // Of the distribution that the raw logits give: no penalty, bias, temperature or filter.
  std::optional<float> logprob = {};
  std::vector<TokenLogprob> alternatives = {};  // most likely first
};

class Sampler {
 public:
  // A vocabulary larger than this can't be sampled from: ids share a 64-bit word with weights.
  static constexpr std::uint32_t kMaxVocab = 1U << 23U;

  explicit Sampler(std::uint32_t n_vocab);

  // The token for position tokens.size(). Errors: kInternal when a logit is not finite.
  [[nodiscard]] Result<SampledToken> sample(const SampleRequest& request,
                                            const SamplingParams& params);

 private:
  struct Summary {
    float largest = 0;
    bool finite = true;
  };

  [[nodiscard]] static Summary summarize(std::span<const float> logits);
  [[nodiscard]] std::span<const float> shut_out(std::span<const float> logits,
                                                std::span<const std::uint64_t> allowed);
  [[nodiscard]] std::span<const float> adjust(const SampleRequest& request,
                                              const SamplingParams& params);
  void penalize(const SampleRequest& request, const SamplingParams& params);
  void weigh(std::span<const float> logits, float largest, float temperature);
  [[nodiscard]] TokenId draw(const SamplingParams& params, std::uint64_t bits);
  [[nodiscard]] TokenId draw_from_all(std::uint64_t bits) const;
  [[nodiscard]] std::uint64_t gather_weight(const SamplingParams& params);
  void gather(std::uint64_t least_weight);
  [[nodiscard]] std::uint64_t find_threshold(const SamplingParams& params);
  void report_logprobs(std::span<const float> logits, std::uint32_t n_alternatives,
                       SampledToken& sampled);

  std::uint32_t n_vocab_;
  std::vector<float> adjusted_;         // [n_vocab]
  std::vector<std::uint32_t> counts_;   // [n_vocab], all 0 between calls
  std::vector<std::uint64_t> weights_;  // [n_vocab]
  std::vector<std::uint64_t> block_sums_;
  std::vector<std::uint64_t> block_maxima_;
  std::uint64_t total_ = 0;                // of weights_
  std::vector<std::uint64_t> candidates_;  // ranking keys of tokens that may be kept, by id
  std::size_t n_candidates_ = 0;
  std::vector<std::uint64_t> scratch_;
};

}  // namespace jarip

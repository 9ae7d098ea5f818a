#include "engine/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "base/exact_math.h"
#include "base/random.h"

namespace jarip {
namespace {

constexpr std::size_t kBlock = 64;  // tokens whose weights have a sum and a maximum of their own
constexpr std::size_t kLanes = 16;
constexpr std::size_t kMaskLanes = 8;
constexpr unsigned kWeightBits = 40;
constexpr double kOne = static_cast<double>(std::uint64_t{1} << kWeightBits);
constexpr unsigned kIdBits = 23;
constexpr std::uint64_t kIdMask = (std::uint64_t{1} << kIdBits) - 1;
static_assert(Sampler::kMaxVocab == kIdMask + 1);

// A weight between 0 and 1, rounded to whole units of 2^-40. Adding 2^52 leaves the integer in the
// low bits of the sum: vector code has no direct conversion on every instruction set.
inline std::uint64_t to_units(float weight) {
  constexpr double kShift = 0x1p52;
  const double shifted = static_cast<double>(weight) * kOne + kShift;
  return std::bit_cast<std::uint64_t>(shifted) - std::bit_cast<std::uint64_t>(kShift);
}

// Weight and id in one word whose descending order is the ranking.
inline std::uint64_t ranking_key(std::uint64_t weight, std::size_t id) {
  return weight << kIdBits | (kIdMask - id);
}

inline std::uint64_t weight_of(std::uint64_t key) { return key >> kIdBits; }
inline TokenId id_of(std::uint64_t key) { return static_cast<TokenId>(kIdMask - (key & kIdMask)); }

// A number in [0, n), uniform but for 2^-64.
std::uint64_t scale_to(std::uint64_t bits, std::uint64_t n) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(bits) * n >> 64U);
}

std::uint64_t sum_of_weights(std::span<const std::uint64_t> keys) {
  std::uint64_t sum = 0;
  for (const std::uint64_t key : keys) sum += weight_of(key);
  return sum;
}

// Weights of at most kBlock logits, and the heaviest. In single precision: its error, 2e-7, is
// below that of the logits themselves.
std::uint64_t weigh_block(std::span<const float> logits, float largest, float temperature,
                          std::span<std::uint64_t> weights) {
  constexpr float kNoWeight = -32.0F;  // e^-32 rounds to 0 units
  float fractions[kBlock];
  std::uint32_t heaviest = 0;  // as bits: floats that are not negative are ordered like integers
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float exponent = (logits[i] - largest) / temperature;
    fractions[i] = exact_exp_f32(exponent > kNoWeight ? exponent : kNoWeight);
    heaviest = std::max(heaviest, std::bit_cast<std::uint32_t>(fractions[i]));
  }
  for (std::size_t i = 0; i < logits.size(); ++i) weights[i] = to_units(fractions[i]);
  return to_units(std::bit_cast<float>(heaviest));
}

// Weights by octave and the next four bits: a higher bucket holds heavier tokens.
constexpr std::size_t kBuckets = (kWeightBits + 2) * 16;
inline std::size_t bucket_of(std::uint64_t weight) {
  const std::size_t width = std::bit_width(weight);
  return width * 16 + (weight << (64 - width) >> 59U) % 16;
}

// Keeps of keys, all with some weight, the bucket in which the target is reached, and lowers the
// target by what is heavier.
std::span<std::uint64_t> narrow(std::span<std::uint64_t> keys, std::uint64_t& target) {
  std::array<std::uint64_t, kBuckets> sums{};
  for (const std::uint64_t key : keys) sums[bucket_of(weight_of(key))] += weight_of(key);
  std::size_t bucket = kBuckets - 1;
  for (; bucket > 0 && sums[bucket] < target; --bucket) target -= sums[bucket];
  std::size_t n = 0;
  for (const std::uint64_t key : keys) {
    keys[n] = key;  // overwritten by the next one unless kept
    n += bucket_of(weight_of(key)) == bucket ? 1 : 0;
  }
  return keys.first(n);
}

// The last key of the shortest prefix of the ranking that weighs at least target. Halves the range
// in which that prefix ends instead of sorting it all; leaves keys in another order.
std::uint64_t find_prefix_end(std::span<std::uint64_t> keys, std::uint64_t target) {
  constexpr std::size_t kSmall = 32;
  constexpr std::size_t kLarge = 2048;  // from here on one pass over buckets is quicker
  if (keys.size() > kLarge) keys = narrow(keys, target);
  while (keys.size() > kSmall) {
    const std::size_t half = keys.size() / 2;
    std::nth_element(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(half), keys.end(),
                     std::greater<>());
    const std::uint64_t upper = sum_of_weights(keys.first(half));
    if (upper >= target) {
      keys = keys.first(half);
    } else {
      target -= upper;
      keys = keys.subspan(half);
    }
  }
  std::sort(keys.begin(), keys.end(), std::greater<>());
  for (const std::uint64_t key : keys) {
    if (weight_of(key) >= target) return key;
    target -= weight_of(key);
  }
  return keys.back();
}

// The n largest logits, largest first, the lower id first among equals.
std::vector<TokenLogprob> find_largest(std::span<const float> logits, std::size_t n) {
  std::vector<TokenLogprob> best;
  best.reserve(n + 1);
  for (std::size_t id = 0; id < logits.size() && n > 0; ++id) {
    if (best.size() == n && !(logits[id] > best.back().logprob)) continue;
    const auto place =
        std::upper_bound(best.begin(), best.end(), logits[id],
                         [](float logit, const TokenLogprob& b) { return logit > b.logprob; });
    best.insert(place, {static_cast<TokenId>(id), logits[id]});
    if (best.size() > n) best.pop_back();
  }
  return best;
}

// By eight bits of a mask: what is added to the logits that they stand for.
using BarredLanes = std::array<float, kMaskLanes>;
constexpr std::array<BarredLanes, 256> kBarred = [] {
  std::array<BarredLanes, 256> rows{};
  for (std::size_t bits = 0; bits < rows.size(); ++bits) {
    for (std::size_t lane = 0; lane < kMaskLanes; ++lane) {
      const bool is_allowed = (bits >> lane & 1U) != 0;
      rows[bits][lane] = is_allowed ? 0.0F : -std::numeric_limits<float>::infinity();
    }
  }
  return rows;
}();

bool has_penalty(const SamplingParams& params) {
  return params.repetition_penalty != 1.0F || params.presence_penalty != 0.0F ||
         params.frequency_penalty != 0.0F;
}

}  // namespace

Sampler::Sampler(std::uint32_t n_vocab)
    : n_vocab_(n_vocab),
      weights_(n_vocab),
      block_sums_((n_vocab + kBlock - 1) / kBlock),
      block_maxima_(block_sums_.size()) {}

Result<SampledToken> Sampler::sample(const SampleRequest& request, const SamplingParams& params) {
  std::span<const float> logits = adjust(request, params);
  Summary summary = summarize(logits);
  if (summary.finite && !request.allowed.empty()) {
    logits = shut_out(logits, request.allowed);
    summary.largest = summarize(logits).largest;
  }
  if (!summary.finite) {
    return fail(
        ErrorCode::kInternal,
        fmt::format("the model's logits for position {} are not finite", request.tokens.size()));
  }
  SampledToken sampled;
  if (params.temperature == 0.0F) {
    const auto first = std::find(logits.begin(), logits.end(), summary.largest);
    sampled.token = static_cast<TokenId>(first - logits.begin());
  } else {
    weigh(logits, summary.largest, params.temperature);
    sampled.token = draw(params, random_bits(params.seed, request.tokens.size()));
  }
  if (request.n_logprobs) {
    report_logprobs(request.logits, *request.n_logprobs, sampled);
  }
  return sampled;
}

// Lanes, because a chain of comparisons one after another would wait for each result.
Sampler::Summary Sampler::summarize(std::span<const float> logits) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  float largest[kLanes];
  std::uint32_t broken[kLanes] = {};
  std::fill(std::begin(largest), std::end(largest), logits[0]);
  const auto look = [&](std::size_t lane, float logit) {
    largest[lane] = logit > largest[lane] ? logit : largest[lane];
    broken[lane] |= (std::bit_cast<std::uint32_t>(logit) & kExponent) == kExponent ? 1U : 0U;
  };
  const std::size_t whole = logits.size() - logits.size() % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) look(lane, logits[i + lane]);
  }
  for (std::size_t i = whole; i < logits.size(); ++i) look(i - whole, logits[i]);
  return {*std::max_element(std::begin(largest), std::end(largest)),
          std::all_of(std::begin(broken), std::end(broken), [](auto b) { return b == 0; })};
}

std::span<const float> Sampler::adjust(const SampleRequest& request, const SamplingParams& params) {
  if (!has_penalty(params) && params.logit_bias.empty()) return request.logits;
  adjusted_.assign(request.logits.begin(), request.logits.end());
  if (has_penalty(params)) penalize(request, params);
  for (const auto& [token, bias] : params.logit_bias) adjusted_[token] += bias;
  return adjusted_;
}

// Infinitely unlikely: no weight, whatever the temperature.
std::span<const float> Sampler::shut_out(std::span<const float> logits,
                                         std::span<const std::uint64_t> allowed) {
  adjusted_.resize(n_vocab_);
  const std::size_t whole = n_vocab_ - n_vocab_ % kMaskLanes;
  const auto barred_at = [allowed](std::size_t i) -> const BarredLanes& {
    return kBarred[allowed[i / 64] >> (i % 64) & 0xFFU];
  };
  for (std::size_t i = 0; i < whole; i += kMaskLanes) {
    const BarredLanes& barred = barred_at(i);
    for (std::size_t lane = 0; lane < kMaskLanes; ++lane) {
      adjusted_[i + lane] = logits[i + lane] + barred[lane];
    }
  }
  for (std::size_t i = whole; i < n_vocab_; ++i) {
    adjusted_[i] = logits[i] + barred_at(whole)[i - whole];
  }
  return adjusted_;
}

void Sampler::penalize(const SampleRequest& request, const SamplingParams& params) {
  counts_.resize(n_vocab_);
  const auto prompt = request.tokens.first(request.n_prompt);
  const auto answer = request.tokens.subspan(request.n_prompt);
  if (const float penalty = params.repetition_penalty; penalty != 1.0F) {
    for (const TokenId token : request.tokens) {
      if (counts_[token]++ != 0) continue;
      float& logit = adjusted_[token];
      logit = logit > 0 ? logit / penalty : logit * penalty;
    }
    for (const TokenId token : prompt) counts_[token] = 0;
    for (const TokenId token : answer) counts_[token] = 0;
  }
  for (const TokenId token : answer) ++counts_[token];
  for (const TokenId token : answer) {
    if (counts_[token] == 0) continue;  // seen, and done
    const auto n = static_cast<float>(counts_[token]);
    adjusted_[token] -= params.presence_penalty + n * params.frequency_penalty;
    counts_[token] = 0;
  }
}

void Sampler::weigh(std::span<const float> logits, float largest, float temperature) {
  total_ = 0;
  for (std::size_t block = 0; block < block_sums_.size(); ++block) {
    const std::size_t first = block * kBlock;
    const std::size_t n = std::min(kBlock, logits.size() - first);
    const std::span<std::uint64_t> weights = std::span(weights_).subspan(first, n);
    block_maxima_[block] = weigh_block(logits.subspan(first, n), largest, temperature, weights);
    block_sums_[block] = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
    total_ += block_sums_[block];
  }
}

TokenId Sampler::draw(const SamplingParams& params, std::uint64_t bits) {
  const bool top_k = params.top_k > 0 && params.top_k < n_vocab_;
  if (!top_k && params.top_p >= 1.0F && params.min_p <= 0.0F) return draw_from_all(bits);

  gather(gather_weight(params));
  const std::uint64_t threshold = find_threshold(params);
  std::uint64_t kept = 0;
  for (const std::uint64_t key : std::span(candidates_).first(n_candidates_)) {
    kept += key >= threshold ? weight_of(key) : 0;
  }
  std::uint64_t target = scale_to(bits, kept);
  for (const std::uint64_t key : std::span(candidates_).first(n_candidates_)) {
    if (key < threshold) continue;
    if (weight_of(key) > target) return id_of(key);
    target -= weight_of(key);
  }
  return id_of(candidates_[0]);  // not reached: target is below the sum of the weights kept
}

TokenId Sampler::draw_from_all(std::uint64_t bits) const {
  std::uint64_t target = scale_to(bits, total_);
  std::size_t block = 0;
  while (block_sums_[block] <= target) target -= block_sums_[block++];
  std::size_t id = block * kBlock;
  while (weights_[id] <= target) target -= weights_[id++];
  return static_cast<TokenId>(id);
}

// A weight below which no token can be kept, so that most of the vocabulary is never ranked.
std::uint64_t Sampler::gather_weight(const SamplingParams& params) {
  const std::size_t n_blocks = block_maxima_.size();
  std::uint64_t least = 1;  // tokens without weight are never drawn
  if (params.top_k > 0 && params.top_k <= n_blocks) {
    // k blocks hold a token at least as heavy as the k-th heaviest maximum of a block.
    scratch_.assign(block_maxima_.begin(), block_maxima_.end());
    const auto kth = scratch_.begin() + static_cast<std::ptrdiff_t>(params.top_k - 1);
    std::nth_element(scratch_.begin(), kth, scratch_.end(), std::greater<>());
    least = std::max(least, *kth);
  } else if (params.top_k == 0 && params.top_p < 1.0F) {
    // All tokens lighter than this together weigh less than what top-p leaves out, by more than the
    // rounding of these two lines.
    const double spare = (1.0 - static_cast<double>(params.top_p)) * static_cast<double>(total_);
    least = std::max(least, static_cast<std::uint64_t>(spare / n_vocab_));
  } else if (params.top_k == 0) {
    least = std::max(least, static_cast<std::uint64_t>(params.min_p * kOne));
  }
  return least;
}

void Sampler::gather(std::uint64_t least_weight) {
  candidates_.resize(n_vocab_);
  std::uint64_t* out = candidates_.data();
  std::size_t n = 0;
  for (std::size_t block = 0; block < block_maxima_.size(); ++block) {
    if (block_maxima_[block] < least_weight) continue;
    const std::size_t end = std::min<std::size_t>(n_vocab_, (block + 1) * kBlock);
    for (std::size_t id = block * kBlock; id < end; ++id) {
      out[n] = ranking_key(weights_[id], id);  // overwritten by the next one unless kept
      n += weights_[id] >= least_weight ? 1 : 0;
    }
  }
  n_candidates_ = n;
}

// Every filter keeps a prefix of the ranking, so one key tells what all of them together keep.
std::uint64_t Sampler::find_threshold(const SamplingParams& params) {
  std::uint64_t threshold = 0;
  scratch_.assign(candidates_.begin(),
                  candidates_.begin() + static_cast<std::ptrdiff_t>(n_candidates_));
  std::span<std::uint64_t> keys(scratch_);
  if (params.top_k > 0 && params.top_k < keys.size()) {
    const auto last = keys.begin() + static_cast<std::ptrdiff_t>(params.top_k - 1);
    std::nth_element(keys.begin(), last, keys.end(), std::greater<>());
    threshold = *last;
    keys = keys.first(params.top_k);
  }
  if (params.top_p < 1.0F) {
    const std::uint64_t total = params.top_k > 0 ? sum_of_weights(keys) : total_;
    const double share = static_cast<double>(params.top_p) * static_cast<double>(total);
    const std::uint64_t target =
        std::max(std::uint64_t{1}, static_cast<std::uint64_t>(std::ceil(share)));
    threshold = std::max(threshold, find_prefix_end(keys, target));
  }
  const auto least = static_cast<std::uint64_t>(std::ceil(params.min_p * kOne));
  return std::max(threshold, least << kIdBits);
}

void Sampler::report_logprobs(std::span<const float> logits, std::uint32_t n_alternatives,
                              SampledToken& sampled) {
  const float largest = summarize(logits).largest;
  weigh(logits, largest, 1.0F);
  const double log_total = exact_log(static_cast<double>(total_) / kOne);
  const auto logprob = [&](float logit) {
    return static_cast<float>((static_cast<double>(logit) - largest) - log_total);
  };
  sampled.logprob = logprob(logits[sampled.token]);
  sampled.alternatives = find_largest(logits, n_alternatives);
  for (TokenLogprob& alternative : sampled.alternatives) {
    alternative.logprob = logprob(alternative.logprob);
  }
}

}  // namespace jarip

#include "model/rope.h"

#include <algorithm>
#include <cmath>

#include "base/exact_math.h"

namespace jarip {

SinCos exact_sin_cos(double x) {
  // x = k * pi/2 + r, pi/2 in three parts of which the first two have 33 bits, so that k times
  // them is exact for k below 2^20 and close enough beyond.
  constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
  constexpr double kHigh = 0x1.921fb544p+0;
  constexpr double kMiddle = 0x1.0b4611a6p-34;
  constexpr double kLow = 0x1.3198a2e037073p-69;
  const double k = std::floor(x * kTwoOverPi + 0.5);
  const double r = std::fma(-k, kLow, std::fma(-k, kMiddle, std::fma(-k, kHigh, x)));
  const double r2 = r * r;
  // Taylor, |r| <= pi/4: the first terms left out are below 1e-16.
  double sin = -1.0 / 1307674368000.0;
  for (const double c : {1.0 / 6227020800.0, -1.0 / 39916800.0, 1.0 / 362880.0, -1.0 / 5040.0,
                         1.0 / 120.0, -1.0 / 6.0, 1.0}) {
    sin = std::fma(sin, r2, c);
  }
  sin *= r;
  double cos = 1.0 / 20922789888000.0;
  for (const double c : {-1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0, 1.0 / 40320.0,
                         -1.0 / 720.0, 1.0 / 24.0, -0.5, 1.0}) {
    cos = std::fma(cos, r2, c);
  }
  switch (static_cast<std::int64_t>(k) & 3) {
    case 0:
      return {sin, cos};
    case 1:
      return {cos, -sin};
    case 2:
      return {-sin, -cos};
    default:
      return {-cos, sin};
  }
}

namespace {

// How much of pair i keeps its frequency, from 0 to 1: all of those that turn often enough within
// the original context, none of those that turn too seldom.
class KeptPart {
 public:
  KeptPart(const RopeConfig& rope, std::uint32_t rope_dim, double log_base)
      : low_(std::max(0.0, std::floor(pair(rope, rope_dim, log_base, rope.beta_fast)))),
        high_(std::min(rope_dim - 1.0, std::ceil(pair(rope, rope_dim, log_base, rope.beta_slow)))) {
  }
  [[nodiscard]] double operator()(std::uint32_t i) const {
    return 1 - std::clamp((i - low_) / std::max(0.001, high_ - low_), 0.0, 1.0);
  }

 private:
  // The pair that turns n times within the original context.
  static double pair(const RopeConfig& rope, std::uint32_t rope_dim, double log_base, float n) {
    constexpr double kTwoPi = 0x1.921fb54442d18p+2;
    return rope_dim * exact_log(rope.n_ctx_original / (static_cast<double>(n) * kTwoPi)) /
           (2 * log_base);
  }
  double low_;
  double high_;
};

}  // namespace

Rope::Rope(const ModelConfig& config, const RopeConfig& rope, std::span<const float> factors)
    : magnitude_(static_cast<double>(rope.magnitude)),
      rope_dim_(config.rope_dim / 2 * 2),
      neox_(config.rope_neox) {
  const double log_base = exact_log(static_cast<double>(rope.base));
  const KeptPart kept(rope, config.rope_dim, log_base);
  for (std::uint32_t i = 0; i < config.rope_dim / 2; ++i) {
    double freq = exact_exp(-2.0 * i / config.rope_dim * log_base);
    if (rope.file_factors && !factors.empty()) freq /= static_cast<double>(factors[i]);
    const double divided = freq / static_cast<double>(rope.factor);
    const double part = rope.yarn ? kept(i) : 0;
    freqs_.push_back(part == 0 ? divided : divided * (1 - part) + freq * part);
  }
}

void Rope::angles(std::uint32_t position, std::span<float> out) const {
  const std::size_t step = neox_ ? 1 : 2;               // from one pair to the next
  const std::size_t apart = neox_ ? freqs_.size() : 1;  // from a pair's first to its second
  const std::span<float> sines = out.subspan(rope_dim_);
  for (std::size_t i = 0; i < freqs_.size(); ++i) {
    SinCos value = exact_sin_cos(position * freqs_[i]);
    value.sin *= magnitude_;
    value.cos *= magnitude_;
    out[i * step] = out[i * step + apart] = static_cast<float>(value.cos);
    sines[i * step] = -static_cast<float>(value.sin);
    sines[i * step + apart] = static_cast<float>(value.sin);
  }
}

}  // namespace jarip

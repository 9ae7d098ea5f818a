#include "base/exact_math.h"

namespace jarip {

double exact_log(double x) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kLn2High = 0x1.62e42feep-1;
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kSqrt2 = 0x1.6a09e667f3bcdp+0;
  constexpr std::uint64_t kMantissa = (std::uint64_t{1} << 52U) - 1;
  if (!(x >= 0)) return std::numeric_limits<double>::quiet_NaN();
  if (x < std::numeric_limits<double>::min()) return -kInfinity;
  if (x == kInfinity) return kInfinity;

  // x = m 2^k with m in [sqrt(1/2), sqrt(2)).
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52U) - 1023;
  double m = std::bit_cast<double>((bits & kMantissa) | (std::uint64_t{1023} << 52U));
  if (m >= kSqrt2) {
    m *= 0.5;
    ++exponent;
  }
  // log(m) = 2 atanh(s): s + s^3 / 3 + s^5 / 5 …, s^2 < 0.0295.
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double p = 1.0 / 25.0;
  for (int n = 23; n >= 3; n -= 2) p = p * s2 + 1.0 / n;
  const double log_m = 2.0 * s + 2.0 * s * (s2 * p);
  const double k = exponent;
  return k * kLn2High + (k * kLn2Low + log_m);
}

}  // namespace jarip

// exp and log whose results are the same bits on every machine: only + - * / in a fixed order,
// where the C library's differ from one version to the next. Pure functions; any thread.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace jarip {

// e^x, within 1e-15 relative. Below -708 it is 0 (no subnormal results), above 709 infinity; NaN
// stays NaN. Inline and free of branches, so that a loop over it becomes vector code; since every
// lane does the same additions and multiplications, the vector's width doesn't change the result.
inline double exact_exp(double x) {
  constexpr double kLog2E = 0x1.71547652b82fep+0;
  constexpr double kLn2High = 0x1.62e42feep-1;  // 32 bits: k * kLn2High is exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kRound = 0x1.8p52;  // adding it leaves an integer in the low mantissa bits
  const double shifted = x * kLog2E + kRound;
  const double k = shifted - kRound;
  const double r = (x - k * kLn2High) - k * kLn2Low;  // |r| <= ln(2) / 2

  double p = 1.0 / 6227020800.0;  // Taylor: the first term left out is below 2e-17
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r * r + r + 1.0;

  const double scale = std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + 1023) << 52U);
  double result = p * scale;
  result = x < -708.0 ? 0.0 : result;
  result = x > 709.0 ? std::numeric_limits<double>::infinity() : result;
  return x != x ? x : result;
}

// e^x in single precision, within 2e-7 relative, for x in [-87, 88]; outside, whatever comes. Four
// to sixteen lanes of vector code, again with the same result in each.
inline float exact_exp_f32(float x) {
  constexpr float kLog2E = 0x1.715476p+0F;
  constexpr float kLn2High = 0x1.62ep-1F;  // 13 bits: k * kLn2High is exact
  constexpr float kLn2Low = 0x1.0bfbe8p-15F;
  constexpr float kRound = 0x1.8p23F;
  const float shifted = x * kLog2E + kRound;
  const float k = shifted - kRound;
  const float r = (x - k * kLn2High) - k * kLn2Low;

  float p = 1.0F / 5040.0F;  // Taylor: the first term left out is below 6e-9
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r * r + r + 1.0F;
  return p * std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127) << 23U);
}

// The natural logarithm, within 1e-15 relative. 0 gives -infinity, negative numbers and NaN give
// NaN; subnormal numbers count as 0.
double exact_log(double x);

}  // namespace jarip

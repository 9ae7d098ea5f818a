#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "grammar/schema_strings.h"
#include "grammar/schema_values.h"

namespace jarip {
namespace {

constexpr std::uint32_t kMaxIntegerDigits = 18;  // what 64 bits hold
constexpr std::uint32_t kMaxDigits = 15;         // what every reader keeps of a fraction
constexpr std::uint32_t kUsualWholeDigits = 9;
constexpr std::uint32_t kManyRests =
    100;  // from here on a multiple has fewer digits: each is a state
constexpr std::uint32_t kFewWholeDigits = 6;
constexpr std::uint32_t kMaxDivisor = 1000;

// How many digits a number may have before and behind its point.
struct Digits {
  std::uint32_t whole = kMaxIntegerDigits;
  std::uint32_t fraction = 0;
};

// Numbers that aren't negative, in parts of regular expressions.
class NumberWriter {
 public:
  NumberWriter(GrammarBuilder& builder, Digits digits) : builder_(builder), digits_(digits) {}

  // 0, or digits without a 0 in front, and a fraction where there may be one.
  ExprId any() { return builder_.sequence({any_whole(), any_fraction()}); }

  // At least (or more than) the bound.
  ExprId from(const Decimal& bound, bool exclusive) {
    return builder_.choice({builder_.sequence({whole_beside(bound.whole, true), any_fraction()}),
                            builder_.sequence({builder_.literal(bound.whole),
                                               fraction_from(bound.fraction, exclusive)})});
  }

  // At most (or less than) the bound.
  ExprId to(const Decimal& bound, bool exclusive) {
    return builder_.choice({builder_.sequence({whole_beside(bound.whole, false), any_fraction()}),
                            builder_.sequence({builder_.literal(bound.whole),
                                               fraction_to(bound.fraction, exclusive)})});
  }

 private:
  ExprId digit(char low, char high) {
    ByteSet set;
    for (char c = low; c <= high; ++c) set.set(static_cast<unsigned char>(c));
    return builder_.bytes(set);
  }
  ExprId digits(std::uint32_t min, std::uint32_t max) {
    return max == 0 ? builder_.empty() : builder_.repeat(digit('0', '9'), min, max);
  }
  ExprId point_and(ExprId fraction) { return builder_.sequence({builder_.literal("."), fraction}); }

  ExprId any_whole() {
    return builder_.choice({builder_.literal("0"),
                            builder_.sequence({digit('1', '9'), digits(0, digits_.whole - 1)})});
  }
  ExprId any_fraction() {
    if (digits_.fraction == 0) return builder_.empty();
    return builder_.optional(point_and(digits(1, digits_.fraction)));
  }

  // Whole numbers above, or below, the one given.
  ExprId whole_beside(const std::string& whole, bool above) {
    const auto n = static_cast<std::uint32_t>(whole.size());
    std::vector<ExprId> parts;
    for (std::uint32_t i = 0; i < n; ++i) {
      const char first = i == 0 && n > 1 ? '1' : '0';
      const char low = above ? static_cast<char>(whole[i] + 1) : first;
      const char high = above ? '9' : static_cast<char>(whole[i] - 1);
      if (low > high) continue;
      parts.push_back(builder_.sequence(
          {builder_.literal(whole.substr(0, i)), digit(low, high), digits(n - i - 1, n - i - 1)}));
    }
    if (above && n < digits_.whole) {
      parts.push_back(builder_.sequence({digit('1', '9'), digits(n, digits_.whole - 1)}));
    }
    if (!above && n > 1) {
      parts.push_back(builder_.literal("0"));
      parts.push_back(builder_.sequence({digit('1', '9'), digits(0, n - 2)}));
    }
    return parts.empty() ? builder_.nothing() : builder_.choice(parts);
  }

  // Fractions that part from the given one with a larger, or smaller, digit.
  void add_beside(const std::string& fraction, bool above, std::vector<ExprId>& parts) {
    const auto n = std::min(static_cast<std::uint32_t>(fraction.size()), digits_.fraction);
    for (std::uint32_t i = 0; i < n; ++i) {
      const char low = above ? static_cast<char>(fraction[i] + 1) : '0';
      const char high = above ? '9' : static_cast<char>(fraction[i] - 1);
      if (low > high) continue;
      parts.push_back(
          point_and(builder_.sequence({builder_.literal(fraction.substr(0, i)), digit(low, high),
                                       digits(0, digits_.fraction - i - 1)})));
    }
  }

  ExprId fraction_from(const std::string& fraction, bool exclusive) {
    std::vector<ExprId> parts;
    add_beside(fraction, true, parts);
    const auto n = static_cast<std::uint32_t>(fraction.size());
    if (!exclusive && n == 0) parts.push_back(builder_.empty());
    if (!exclusive && n > 0 && n <= digits_.fraction) {
      parts.push_back(point_and(builder_.literal(fraction)));
    }
    for (std::uint32_t more = 1; n + more <= digits_.fraction; ++more) {
      // The digits of the bound and more; of an exclusive one, not only zeros.
      const ExprId last = digit(exclusive ? '1' : '0', '9');
      const std::string zeros(exclusive ? more - 1 : 0, '0');
      const std::uint32_t rest = digits_.fraction - n - more;
      parts.push_back(point_and(
          builder_.sequence({builder_.literal(fraction + zeros), last, digits(0, rest)})));
      if (!exclusive) break;
    }
    return parts.empty() ? builder_.nothing() : builder_.choice(parts);
  }

  ExprId fraction_to(const std::string& fraction, bool exclusive) {
    std::vector<ExprId> parts;
    add_beside(fraction, false, parts);
    const auto n = static_cast<std::uint32_t>(fraction.size());
    if (n > 0 || !exclusive) parts.push_back(builder_.empty());
    for (std::uint32_t i = 1; i <= std::min(n, digits_.fraction); ++i) {
      if (i < n || !exclusive) parts.push_back(point_and(builder_.literal(fraction.substr(0, i))));
    }
    if (!exclusive && n < digits_.fraction) {
      parts.push_back(point_and(
          builder_.sequence({builder_.literal(fraction),
                             builder_.repeat(builder_.literal("0"), 1, digits_.fraction - n)})));
    }
    return parts.empty() ? builder_.nothing() : builder_.choice(parts);
  }

  GrammarBuilder& builder_;
  Digits digits_;
};

struct Bounds {
  std::optional<std::pair<Decimal, bool>> min;  // and whether it is exclusive
  std::optional<std::pair<Decimal, bool>> max;
};

Result<Bounds> tightest(const Shape& shape) {
  Bounds bounds;
  const auto take = [](std::optional<std::pair<Decimal, bool>>& kept, const SchemaBound& bound,
                       int sign) -> Result<void> {
    JARIP_TRY(Decimal number, decimal_of(bound.number, bound.path));
    const int order = kept ? compare(number, kept->first) * sign : 1;
    if (order > 0 || (order == 0 && bound.exclusive)) kept = {std::move(number), bound.exclusive};
    return {};
  };
  for (const SchemaBound& bound : shape.minima) JARIP_CHECK(take(bounds.min, bound, 1));
  for (const SchemaBound& bound : shape.maxima) JARIP_CHECK(take(bounds.max, bound, -1));
  return bounds;
}

Decimal negate(Decimal number) {
  if (!number.is_zero()) number.negative = !number.negative;
  return number;
}

// Numbers without sign between two bounds of which either may be missing.
class RangeWriter {
 public:
  RangeWriter(Digits digits, const std::string& path, CompileWork& work)
      : digits_(digits), path_(path), work_(work) {}

  Result<Fsm> unsigned_between(const std::optional<std::pair<Decimal, bool>>& min,
                               const std::optional<std::pair<Decimal, bool>>& max) {
    JARIP_TRY(Fsm range, language([](NumberWriter& writer) { return writer.any(); }));
    if (min && !min->first.negative) {
      JARIP_TRY(const Fsm above, language([&](NumberWriter& writer) {
                  return writer.from(min->first, min->second);
                }));
      JARIP_TRY(range, intersect(range, above, work_));
    }
    if (max && max->first.negative) {
      range.states.assign(1, {});
      return range;
    }
    if (max) {
      JARIP_TRY(const Fsm below,
                language([&](NumberWriter& writer) { return writer.to(max->first, max->second); }));
      JARIP_TRY(range, intersect(range, below, work_));
    }
    return range;
  }

 private:
  template <class Write>
  Result<Fsm> language(Write write) {
    GrammarBuilder builder(false);
    NumberWriter writer(builder, digits_);
    const ExprId expr = write(writer);
    Result<Fsm> fsm = regular_language(builder, expr, work_);
    if (!fsm) return schema_error(fsm.error().code, path_, fsm.error().message);
    return fsm;
  }

  Digits digits_;
  std::string path_;
  CompileWork& work_;
};

// Digits whose number the divisor divides: one state for each rest, after the start.
Fsm multiples_of(std::uint32_t divisor) {
  Fsm fsm;
  fsm.states.resize(divisor + std::size_t{1});
  for (std::uint32_t state = 0; state <= divisor; ++state) {
    const std::uint32_t rest = state == 0 ? 0 : state - 1;
    fsm.states[state].final = state == 1;
    for (std::uint32_t digit = 0; digit < 10; ++digit) {
      const auto byte = static_cast<std::uint8_t>('0' + digit);
      fsm.states[state].edges.push_back({byte, byte, (rest * 10 + digit) % divisor + 1});
    }
  }
  return fsm;
}

Digits digits_of(const Shape& shape, const Bounds& bounds) {
  const bool only_integers = (shape.types & json_type::kFraction) == 0 || !shape.multiples.empty();
  // Multiples take a state for each digit and rest: no more digits than usual, unless bounds do.
  if (only_integers && shape.multiples.empty()) return {};
  const bool has_many_rests = std::ranges::any_of(shape.multiples, [](const SchemaBound& bound) {
    const Result<std::uint32_t> divisor = divisor_of(bound);
    return divisor && *divisor > kManyRests;
  });
  Digits digits{.whole = has_many_rests ? kFewWholeDigits : kUsualWholeDigits, .fraction = 0};
  for (const auto& bound : {bounds.min, bounds.max}) {
    if (!bound) continue;
    const auto n = static_cast<std::uint32_t>(bound->first.whole.size());
    digits.whole = std::clamp(n, digits.whole, only_integers ? kMaxIntegerDigits : kMaxDigits);
  }
  digits.fraction = only_integers ? 0 : kMaxDigits - digits.whole;
  return digits;
}

ExprId add_free_number(GrammarBuilder& builder, bool only_integers) {
  const ExprId sign = builder.optional(builder.literal("-"));
  NumberWriter writer(builder, {kMaxIntegerDigits, only_integers ? 0 : kMaxDigits});
  if (only_integers) return builder.sequence({sign, writer.any()});
  ByteSet e;
  e.set('e').set('E');
  ByteSet signs;
  signs.set('+').set('-');
  ByteSet digits;
  for (char c = '0'; c <= '9'; ++c) digits.set(static_cast<unsigned char>(c));
  const ExprId exponent =
      builder.sequence({builder.bytes(e), builder.optional(builder.bytes(signs)),
                        builder.repeat(builder.bytes(digits), 1, 2)});
  return builder.sequence({sign, writer.any(), builder.optional(exponent)});
}

}  // namespace

Result<std::uint32_t> divisor_of(const SchemaBound& multiple) {
  JARIP_TRY(const Decimal number, decimal_of(multiple.number, multiple.path));
  if (number.negative || number.is_zero() || !number.fraction.empty() || number.whole.size() > 4 ||
      std::stoul(number.whole) > kMaxDivisor) {
    return schema_error(
        ErrorCode::kUnsupported, multiple.path,
        fmt::format("only multiples of integers from 1 to {} can be enforced", kMaxDivisor));
  }
  return static_cast<std::uint32_t>(std::stoul(number.whole));
}

Result<ExprId> add_number(GrammarBuilder& builder, const Shape& shape, CompileWork& work) {
  JARIP_TRY(const Bounds bounds, tightest(shape));
  const Digits digits = digits_of(shape, bounds);
  if (!bounds.min && !bounds.max && shape.multiples.empty()) {
    return add_free_number(builder, digits.fraction == 0);
  }
  RangeWriter writer(digits, shape.path, work);
  JARIP_TRY(Fsm positive, writer.unsigned_between(bounds.min, bounds.max));
  // A negative number's amount lies between the bounds' opposites, and isn't 0.
  std::optional<std::pair<Decimal, bool>> least = {{Decimal{}, true}};
  std::optional<std::pair<Decimal, bool>> most;
  if (bounds.max && (bounds.max->first.negative || bounds.max->first.is_zero())) {
    least = {negate(bounds.max->first), bounds.max->second || bounds.max->first.is_zero()};
  }
  if (bounds.min) {
    most = {negate(bounds.min->first), bounds.min->second};
    if (bounds.min->first.is_zero()) most->second = true;
  }
  JARIP_TRY(Fsm negative, writer.unsigned_between(least, most));
  for (const SchemaBound& multiple : shape.multiples) {
    JARIP_TRY(const std::uint32_t divisor, divisor_of(multiple));
    const Fsm multiples = multiples_of(divisor);
    JARIP_TRY(positive, intersect(positive, multiples, work));
    JARIP_TRY(negative, intersect(negative, multiples, work));
  }
  return builder.choice(
      {add_language(builder, positive),
       builder.sequence({builder.literal("-"), add_language(builder, negative)})});
}

}  // namespace jarip

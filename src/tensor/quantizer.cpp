#include "tensor/quantizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/block_packing.h"
#include "tensor/blocks.h"
#include "tensor/half.h"
#include "tensor/level_search.h"

namespace jarip {
namespace {

// How often the numbers of a super-block are chosen again after those that they depend on.
constexpr int kRounds = 1;

constexpr std::int8_t kMXFP4Ascending[] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12};

float stored(std::uint16_t half) { return f16_to_f32(half); }

// The whole number nearest to x / unit, held to [least, most].
int nearest(float x, float unit, int least, int most) {
  if (unit == 0) return std::clamp(0, least, most);
  const float held = std::clamp(x / unit, static_cast<float>(least), static_cast<float>(most));
  return static_cast<int>(std::nearbyint(held));
}

// A half that is not infinite.
std::uint16_t to_f16(double value) {
  return f32_to_f16(static_cast<float>(std::clamp(value, -65504.0, 65504.0)));
}

// Reads a bundle of 16 groups out of the input, with what each value's error weighs, and sums it
// up. Large weights must be right, the more so if the column is known to matter.
class Bundle {
 public:
  Bundle(const QuantizeInput& in, std::uint32_t n, std::uint32_t block_size)
      : in_(in), block_size_(block_size), groups_(n) {}

  // first: of the values; a multiple of the block size.
  void load(std::size_t first) {
    groups_ = WeightGroups(groups_.n());
    const std::size_t n_values =
        std::min<std::size_t>(std::size_t{kGroups} * groups_.n(), in_.values.size() - first);
    for (std::size_t block = 0; block < n_values; block += block_size_) {
      load_block(first + block, static_cast<std::uint32_t>(block / groups_.n()));
    }
    n_groups_ = static_cast<std::uint32_t>(n_values / groups_.n());
    groups_.sum_up();
  }
  [[nodiscard]] const WeightGroups& groups() const { return groups_; }
  [[nodiscard]] std::uint32_t n_groups() const { return n_groups_; }  // that were filled

 private:
  void load_block(std::size_t first, std::uint32_t group) {
    const auto values = in_.values.subspan(first, block_size_);
    double squares = 0;
    for (const float value : values) squares += static_cast<double>(value) * value;
    const auto mean = static_cast<float>(squares / block_size_);
    const float deviation = std::sqrt(mean);
    std::size_t column =
        in_.importance.empty() ? 0 : (in_.first_column + first) % in_.importance.size();
    for (std::uint32_t i = 0; i < block_size_; ++i) {
      const float value = values[i];
      float weight = 0;
      if (in_.importance.empty()) {
        weight = deviation + std::abs(value);
      } else {
        weight = in_.importance[column] * std::sqrt(2 * mean + value * value);
        if (++column == in_.importance.size()) column = 0;
      }
      groups_.set(group + i / groups_.n(), i % groups_.n(), value, weight);
    }
  }

  const QuantizeInput& in_;
  std::uint32_t block_size_;
  WeightGroups groups_;
  std::uint32_t n_groups_ = 0;
};

using ChosenLevels = std::int8_t[kMostInGroup * kGroups];

template <class Block>
void put(std::span<std::byte> out, std::size_t block, const Block& value) {
  std::memcpy(out.data() + block * sizeof(Block), &value, sizeof(Block));
}

// ---- Formats of one scale: 32 weights, no super-blocks ----

// Calls make(group, scale as stored, minimum as stored, level(i) less the least level) -> block.
template <class Block, class Make>
void quantize_single(const Kernels& kernels, const QuantizeInput& in, const Levels& levels,
                     bool has_minimum, std::span<std::byte> out, Make make) {
  Bundle bundle(in, 32, 32);
  for (std::size_t first = 0; first < in.values.size(); first += std::size_t{32} * kGroups) {
    bundle.load(first);
    const WeightGroups& groups = bundle.groups();
    GroupScales scales = has_minimum ? search_minimums(kernels, groups, levels, false)
                                     : search_scales(kernels, groups, levels);
    std::uint16_t halves[kGroups];
    std::uint16_t minimums[kGroups];
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      halves[g] = to_f16(static_cast<double>(scales.scale[g]));
      minimums[g] = to_f16(static_cast<double>(scales.minimum[g]));
      scales.scale[g] = stored(halves[g]);
      scales.minimum[g] = stored(minimums[g]);
    }
    LevelSums sums;
    ChosenLevels chosen;
    round_groups(kernels, groups, levels, scales, sums, chosen);
    for (std::uint32_t g = 0; g < bundle.n_groups(); ++g) {
      const Block block =
          make(halves[g], minimums[g], [&](std::size_t i) { return chosen[i * kGroups + g]; });
      put(out, first / 32 + g, block);
    }
  }
}

void quantize_q4_0(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  quantize_single<BlockQ4_0>(
      kernels, in, {-8, 7}, false, out, [](std::uint16_t scale, std::uint16_t, auto level) {
        BlockQ4_0 block{.scale = scale, .nibbles = {}};
        pack_nibbles(block.nibbles,
                     [&](unsigned i) { return static_cast<unsigned>(level(i) + 8); });
        return block;
      });
}

void quantize_q4_1(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  quantize_single<BlockQ4_1>(
      kernels, in, {0, 15}, true, out, [](std::uint16_t scale, std::uint16_t minimum, auto level) {
        BlockQ4_1 block{.scale = scale, .minimum = minimum, .nibbles = {}};
        pack_nibbles(block.nibbles, [&](unsigned i) { return static_cast<unsigned>(level(i)); });
        return block;
      });
}

void quantize_q5_0(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  quantize_single<BlockQ5_0>(
      kernels, in, {-16, 15}, false, out, [](std::uint16_t scale, std::uint16_t, auto level) {
        BlockQ5_0 block{.scale = scale, .fifth_bits = {}, .nibbles = {}};
        pack_five_bits(block, [&](unsigned i) { return static_cast<unsigned>(level(i) + 16); });
        return block;
      });
}

void quantize_q5_1(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  quantize_single<BlockQ5_1>(
      kernels, in, {0, 31}, true, out, [](std::uint16_t scale, std::uint16_t minimum, auto level) {
        BlockQ5_1 block{.scale = scale, .minimum = minimum, .fifth_bits = {}, .nibbles = {}};
        pack_five_bits(block, [&](unsigned i) { return static_cast<unsigned>(level(i)); });
        return block;
      });
}

// The number that stands for a value of a table.
unsigned code_of(const std::int8_t (&values)[16], int value) {
  return static_cast<unsigned>(std::ranges::find(values, value) - std::begin(values));
}

Levels iq4_levels() { return {-127, 113, kIQ4Values}; }

void quantize_iq4_nl(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  quantize_single<BlockIQ4_NL>(
      kernels, in, iq4_levels(), false, out, [](std::uint16_t scale, std::uint16_t, auto level) {
        BlockIQ4_NL block{.scale = scale, .nibbles = {}};
        pack_nibbles(block.nibbles, [&](unsigned i) { return code_of(kIQ4Values, level(i)); });
        return block;
      });
}

// Scales are powers of two: the one that holds the largest value, and its neighbours.
void quantize_mxfp4(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  const Levels levels{-12, 12, kMXFP4Ascending};
  Bundle bundle(in, 32, 32);
  for (std::size_t first = 0; first < in.values.size(); first += std::size_t{32} * kGroups) {
    bundle.load(first);
    const WeightGroups& groups = bundle.groups();
    int exponents[kGroups] = {};
    GroupFloats best;
    std::ranges::fill(best, std::numeric_limits<float>::infinity());
    LevelSums sums;
    const auto scales_of = [&](int step, GroupScales& scales, int(&tried)[kGroups]) {
      for (std::uint32_t g = 0; g < kGroups; ++g) {
        const float most = std::max(-groups.least()[g], groups.most()[g]);
        const auto bits = static_cast<int>(std::bit_cast<std::uint32_t>(most) >> 23U);
        tried[g] = std::clamp(bits - 2 + step, 0, 254);
        scales.scale[g] = bf16_to_f32(mxfp4_scale(static_cast<std::uint8_t>(tried[g])));
      }
    };
    for (int step = -1; step <= 1; ++step) {
      GroupScales scales;
      int tried[kGroups];
      scales_of(step, scales, tried);
      round_groups(kernels, groups, levels, scales, sums, nullptr);
      for (std::uint32_t g = 0; g < kGroups; ++g) {
        if (!(scales.error[g] < best[g])) continue;
        best[g] = scales.error[g];
        exponents[g] = tried[g];
      }
    }
    GroupScales scales;
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      scales.scale[g] = bf16_to_f32(mxfp4_scale(static_cast<std::uint8_t>(exponents[g])));
    }
    ChosenLevels chosen;
    round_groups(kernels, groups, levels, scales, sums, chosen);
    for (std::uint32_t g = 0; g < bundle.n_groups(); ++g) {
      BlockMXFP4 block{.exponent = static_cast<std::uint8_t>(exponents[g]), .nibbles = {}};
      pack_nibbles(block.nibbles,
                   [&](unsigned i) { return code_of(kMXFP4Values, chosen[i * kGroups + g]); });
      put(out, first / 32 + g, block);
    }
  }
}

BlockQ8_0 round_q8_0(std::span<const float, 32> values) {
  float most = 0;
  for (const float value : values) most = std::max(most, std::abs(value));
  BlockQ8_0 block{.scale = to_f16(static_cast<double>(most) / 127), .values = {}};
  const float scale = stored(block.scale);
  for (std::size_t i = 0; i < 32; ++i) {
    block.values[i] = static_cast<std::int8_t>(nearest(values[i], scale, -127, 127));
  }
  return block;
}

// ---- Formats of 256 weights whose groups' scales are numbers themselves ----

struct SuperFormat {
  std::uint32_t group_size;
  Levels levels;
  int least_scale;  // of a group, in units of the super-block's
  int most_scale;
  bool has_minimum;  // of numbers from 0 to most_scale, subtracted
};

// What is stored of one bundle: one or two super-blocks.
struct Chosen {
  std::uint16_t unit[2] = {};          // f16, of the groups' scales
  std::uint16_t minimum_unit[2] = {};  // f16, of the groups' minimums
  int scale[kGroups] = {};
  int minimum[kGroups] = {};
  // What it leaves, and the sums of its levels.
  GroupFloats error = {};
  LevelSums sums = {};
};

class SuperSearch {
 public:
  SuperSearch(const Kernels& kernels, const SuperFormat& format, const WeightGroups& groups)
      : kernels_(kernels), format_(format), groups_(groups), per_super_(256 / format.group_size) {}

  Chosen find() {
    const GroupScales free = format_.has_minimum
                                 ? search_minimums(kernels_, groups_, format_.levels, true)
                                 : search_scales(kernels_, groups_, format_.levels);
    start_from(free);
    choose_numbers();
    for (int round = 0; round < kRounds; ++round) {
      const Chosen before = chosen_;
      choose_units();
      choose_numbers();
      for (std::uint32_t super = 0; super < n_supers(); ++super) {
        if (error_of(super, chosen_) > error_of(super, before)) go_back(super, before);
      }
    }
    return chosen_;
  }
  // The levels under what was found: [group_size, 16].
  void round(std::int8_t* levels) {
    GroupScales scales = stored_scales(chosen_);
    LevelSums sums;
    round_groups(kernels_, groups_, format_.levels, scales, sums, levels);
  }

 private:
  [[nodiscard]] std::uint32_t n_supers() const { return kGroups / per_super_; }

  [[nodiscard]] GroupScales stored_scales(const Chosen& chosen) const {
    GroupScales scales;
    for (std::uint32_t g = 0; g < kGroups; ++g) {
      const std::uint32_t super = g / per_super_;
      scales.scale[g] = stored(chosen.unit[super]) * static_cast<float>(chosen.scale[g]);
      scales.minimum[g] =
          -(stored(chosen.minimum_unit[super]) * static_cast<float>(chosen.minimum[g]));
    }
    return scales;
  }

  // The units under which the farthest scale and minimum just have a number.
  void start_from(const GroupScales& free) {
    for (std::uint32_t super = 0; super < n_supers(); ++super) {
      float low = 0;
      float high = 0;
      float minimum = 0;
      for (std::uint32_t g = super * per_super_; g < (super + 1) * per_super_; ++g) {
        low = std::min(low, free.scale[g]);
        high = std::max(high, free.scale[g]);
        minimum = std::max(minimum, -free.minimum[g]);
      }
      const float farthest = -low > high ? low : high;
      const int end = format_.least_scale < 0 ? format_.least_scale : format_.most_scale;
      chosen_.unit[super] = to_f16(static_cast<double>(farthest) / end);
      chosen_.minimum_unit[super] = to_f16(static_cast<double>(minimum) / format_.most_scale);
      for (std::uint32_t g = super * per_super_; g < (super + 1) * per_super_; ++g) {
        chosen_.scale[g] = nearest(free.scale[g], stored(chosen_.unit[super]), format_.least_scale,
                                   format_.most_scale);
        chosen_.minimum[g] =
            nearest(-free.minimum[g], stored(chosen_.minimum_unit[super]), 0, format_.most_scale);
      }
    }
  }

  // The best of each group's number and its neighbours, with those of its minimum.
  void choose_numbers() {
    const Chosen middle = chosen_;
    std::ranges::fill(chosen_.error, std::numeric_limits<float>::infinity());
    const int reach = format_.has_minimum ? 1 : 0;
    for (const int scale_step : {0, -1, 1}) {
      for (int minimum_step = -reach; minimum_step <= reach; ++minimum_step) {
        Chosen tried = middle;
        for (std::uint32_t g = 0; g < kGroups; ++g) {
          tried.scale[g] =
              std::clamp(middle.scale[g] + scale_step, format_.least_scale, format_.most_scale);
          tried.minimum[g] = std::clamp(middle.minimum[g] + minimum_step, 0, format_.most_scale);
        }
        GroupScales scales = stored_scales(tried);
        LevelSums sums;
        round_groups(kernels_, groups_, format_.levels, scales, sums, nullptr);
        for (std::uint32_t g = 0; g < kGroups; ++g) {
          if (!(scales.error[g] < chosen_.error[g])) continue;
          tried.error[g] = scales.error[g];
          tried.sums.level[g] = sums.level[g];
          tried.sums.square[g] = sums.square[g];
          tried.sums.product[g] = sums.product[g];
          take_group(g, tried);
        }
      }
    }
  }

  // The units that are best for the numbers and levels: least squares.
  void choose_units() {
    for (std::uint32_t super = 0; super < n_supers(); ++super) {
      double squares = 0;  // of unit
      double crossed = 0;
      double minimum_squares = 0;  // of minimum_unit
      double products = 0;
      double minimum_products = 0;
      for (std::uint32_t g = super * per_super_; g < (super + 1) * per_super_; ++g) {
        const double s = chosen_.scale[g];
        const double m = chosen_.minimum[g];
        squares += s * s * static_cast<double>(chosen_.sums.square[g]);
        crossed += s * m * static_cast<double>(chosen_.sums.level[g]);
        minimum_squares += m * m * static_cast<double>(groups_.importance()[g]);
        products += s * static_cast<double>(chosen_.sums.product[g]);
        minimum_products += m * static_cast<double>(groups_.product()[g]);
      }
      const double determinant = squares * minimum_squares - crossed * crossed;
      if (determinant > 0) {
        const double unit = (products * minimum_squares - minimum_products * crossed) / determinant;
        const double minimum_unit = (products * crossed - minimum_products * squares) / determinant;
        if (unit > 0 && minimum_unit >= 0) {
          chosen_.unit[super] = to_f16(unit);
          chosen_.minimum_unit[super] = to_f16(minimum_unit);
        }
      } else if (squares > 0) {
        chosen_.unit[super] = to_f16(products / squares);
      }
    }
  }

  [[nodiscard]] double error_of(std::uint32_t super, const Chosen& chosen) const {
    double error = 0;
    for (std::uint32_t g = super * per_super_; g < (super + 1) * per_super_; ++g) {
      error += static_cast<double>(chosen.error[g]);
    }
    return error;
  }

  void take_group(std::uint32_t g, const Chosen& from) {
    chosen_.scale[g] = from.scale[g];
    chosen_.minimum[g] = from.minimum[g];
    chosen_.error[g] = from.error[g];
    chosen_.sums.level[g] = from.sums.level[g];
    chosen_.sums.square[g] = from.sums.square[g];
    chosen_.sums.product[g] = from.sums.product[g];
  }

  void go_back(std::uint32_t super, const Chosen& before) {
    chosen_.unit[super] = before.unit[super];
    chosen_.minimum_unit[super] = before.minimum_unit[super];
    for (std::uint32_t g = super * per_super_; g < (super + 1) * per_super_; ++g) {
      take_group(g, before);
    }
  }

  const Kernels& kernels_;
  const SuperFormat& format_;
  const WeightGroups& groups_;
  std::uint32_t per_super_;
  Chosen chosen_;
};

// Calls make(chosen, super-block of the bundle, level(i) of its 256) -> block.
template <class Block, class Make>
void quantize_super(const Kernels& kernels, const QuantizeInput& in, const SuperFormat& format,
                    std::span<std::byte> out, Make make) {
  Bundle bundle(in, format.group_size, 256);
  const std::uint32_t per_super = 256 / format.group_size;
  const std::size_t n_values = std::size_t{kGroups} * format.group_size;
  for (std::size_t first = 0; first < in.values.size(); first += n_values) {
    bundle.load(first);
    SuperSearch search(kernels, format, bundle.groups());
    const Chosen chosen = search.find();
    ChosenLevels levels;
    search.round(levels);
    for (std::uint32_t super = 0; super < bundle.n_groups() / per_super; ++super) {
      const Block block = make(chosen, super, [&](std::size_t i) {
        const std::size_t group = super * per_super + i / format.group_size;
        return static_cast<int>(levels[i % format.group_size * kGroups + group]);
      });
      put(out, first / 256 + super, block);
    }
  }
}

void quantize_q2_k(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  const SuperFormat format{16, {0, 3}, 0, 15, true};
  quantize_super<BlockQ2_K>(
      kernels, in, format, out, [](const Chosen& chosen, std::uint32_t, auto level) {
        BlockQ2_K block{.packed = {},
                        .low = {},
                        .scale = chosen.unit[0],
                        .minimum_scale = chosen.minimum_unit[0]};
        for (std::size_t j = 0; j < 16; ++j) {
          block.packed[j] = static_cast<std::uint8_t>(chosen.scale[j] | (chosen.minimum[j] << 4));
        }
        pack_levels(block, [&](std::size_t i) { return static_cast<unsigned>(level(i)); });
        return block;
      });
}

void quantize_q3_k(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  const SuperFormat format{16, {-4, 3}, -32, 31, false};
  quantize_super<BlockQ3_K>(
      kernels, in, format, out, [](const Chosen& chosen, std::uint32_t, auto level) {
        BlockQ3_K block{.high = {}, .low = {}, .packed = {}, .scale = chosen.unit[0]};
        for (std::size_t j = 0; j < 16; ++j) {
          pack_q3_k_scale(block.packed, j, static_cast<unsigned>(chosen.scale[j] + 32));
        }
        pack_levels(block, [&](std::size_t i) { return static_cast<unsigned>(level(i) + 4); });
        return block;
      });
}

// Q4_K and Q5_K, which differ in their levels.
template <class Block>
void quantize_with_minimums(const Kernels& kernels, const QuantizeInput& in, float most,
                            std::span<std::byte> out) {
  const SuperFormat format{32, {0, most}, 0, 63, true};
  quantize_super<Block>(
      kernels, in, format, out, [](const Chosen& chosen, std::uint32_t super, auto level) {
        Block block{};
        block.scale = chosen.unit[super];
        block.minimum_scale = chosen.minimum_unit[super];
        for (int j = 0; j < 8; ++j) {
          const auto group = super * 8 + static_cast<std::uint32_t>(j);
          pack_q4_k_scale(block.packed, j,
                          {static_cast<std::uint8_t>(chosen.scale[group]),
                           static_cast<std::uint8_t>(chosen.minimum[group])});
        }
        pack_levels(block, [&](std::size_t i) { return static_cast<unsigned>(level(i)); });
        return block;
      });
}

void quantize_q6_k(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  const SuperFormat format{16, {-32, 31}, -128, 127, false};
  quantize_super<BlockQ6_K>(
      kernels, in, format, out, [](const Chosen& chosen, std::uint32_t, auto level) {
        BlockQ6_K block{.low = {}, .high = {}, .scales = {}, .scale = chosen.unit[0]};
        for (std::size_t j = 0; j < 16; ++j) {
          block.scales[j] = static_cast<std::int8_t>(chosen.scale[j]);
        }
        pack_levels(block, [&](std::size_t i) { return static_cast<unsigned>(level(i) + 32); });
        return block;
      });
}

void quantize_iq4_xs(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  const SuperFormat format{32, iq4_levels(), -32, 31, false};
  quantize_super<BlockIQ4_XS>(
      kernels, in, format, out, [](const Chosen& chosen, std::uint32_t super, auto level) {
        BlockIQ4_XS block{
            .scale = chosen.unit[super], .scales_high = 0, .scales_low = {}, .nibbles = {}};
        for (std::size_t j = 0; j < 8; ++j) {
          pack_iq4_xs_scale(block, j, static_cast<unsigned>(chosen.scale[super * 8 + j] + 32));
          pack_nibbles(block.nibbles[j],
                       [&](unsigned i) { return code_of(kIQ4Values, level(j * 32 + i)); });
        }
        return block;
      });
}

template <class Number, class Round>
void round_each(std::span<const float> values, std::span<std::byte> out, Round round) {
  for (std::size_t i = 0; i < values.size(); ++i) put<Number>(out, i, round(values[i]));
}

}  // namespace

void quantize(const Kernels& kernels, const QuantizeInput& in, std::span<std::byte> out) {
  switch (in.format) {
    case Format::kF32:
      return round_each<float>(in.values, out, [](float value) { return value; });
    case Format::kF16:
      return round_each<std::uint16_t>(
          in.values, out, [](float value) { return to_f16(static_cast<double>(value)); });
    case Format::kBF16:
      return round_each<std::uint16_t>(in.values, out, f32_to_bf16);
    case Format::kQ8_0:
      for (std::size_t i = 0; i < in.values.size(); i += 32) {
        put(out, i / 32, round_q8_0(in.values.subspan(i).first<32>()));
      }
      return;
    case Format::kQ4_0:
      return quantize_q4_0(kernels, in, out);
    case Format::kQ4_1:
      return quantize_q4_1(kernels, in, out);
    case Format::kQ5_0:
      return quantize_q5_0(kernels, in, out);
    case Format::kQ5_1:
      return quantize_q5_1(kernels, in, out);
    case Format::kQ2_K:
      return quantize_q2_k(kernels, in, out);
    case Format::kQ3_K:
      return quantize_q3_k(kernels, in, out);
    case Format::kQ4_K:
      return quantize_with_minimums<BlockQ4_K>(kernels, in, 15, out);
    case Format::kQ5_K:
      return quantize_with_minimums<BlockQ5_K>(kernels, in, 31, out);
    case Format::kQ6_K:
      return quantize_q6_k(kernels, in, out);
    case Format::kIQ4_NL:
      return quantize_iq4_nl(kernels, in, out);
    case Format::kIQ4_XS:
      return quantize_iq4_xs(kernels, in, out);
    case Format::kMXFP4:
      return quantize_mxfp4(kernels, in, out);
  }
}

}  // namespace jarip

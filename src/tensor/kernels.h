// The arithmetic of a step, one table of functions for each instruction set. All tables give the
// same bytes: the order of every float sum is part of each function's definition. Functions are
// called by pool workers on disjoint ranges and keep no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>

#include "base/result.h"
#include "tensor/activations.h"
#include "tensor/kv_format.h"
#include "tensor/packed_matrix.h"

namespace jarip {

// Positions in one attention range: softmax is exact inside a range, ranges merge in ascending
// order. Fixed for ever: it is part of what an answer's bytes are.
inline constexpr std::uint32_t kAttentionRange = 256;

// What a matrix product reads: `rows` for float formats, `quantized` for the others.
struct MatmulInput {
  const float* rows = nullptr;  // [n, n_cols]
  const QuantizedRows* quantized = nullptr;
};

enum class Epilogue : std::uint8_t { kStore, kAdd };

struct MatmulRange {
  std::uint32_t row_begin, row_end;    // rows of activations
  std::uint32_t tile_begin, tile_end;  // tiles of 16 outputs
};

// One key-value head of one sequence, seen by a run of its queries. It may be cut into pieces for
// several threads: each attends to its positions and leaves a part for each of their ranges, and
// merge_attention() joins the parts, to the same bytes as the whole.
struct AttentionTask {
  const float* queries;      // [n_tokens, query_stride]: n_group heads of head_dim each, scaled
  float* out;                // [n_tokens, out_stride], heads as in queries
  std::size_t query_stride;  // floats from one token to the next
  std::size_t out_stride;
  std::uint32_t n_tokens;   // all within one attention range
  std::uint32_t n_group;    // query heads that share this key-value head
  std::uint32_t head_dim;   // a multiple of 16, at most 256
  std::uint32_t position;   // of the first token; token t sees positions 0 to position + t
  std::byte* const* pages;  // of the sequence; at page_offset in each this head lies as
  std::size_t page_offset;  // kv_head_layout() says
  float* scratch;           // attention_scratch_floats()
  // Positions to attend to: all, or from one multiple of kAttentionRange to another or to the end.
  std::uint32_t begin;
  std::uint32_t end;
  float* parts;  // null for a whole; [ranges of the whole, attention_part_floats()]
  // The first position of the whole, a multiple of kAttentionRange that the first token sees past.
  std::uint32_t first = 0;
  std::uint32_t window = 0;      // positions that a token sees, its own included; 0: all
  float cap = 0;                 // scores are cap * tanh(score / cap); 0: as they are
  const float* sinks = nullptr;  // [n_group] scores that take weight and give nothing, or null
};

// Query vectors (tokens times group) that one AttentionTask may hold.
inline constexpr std::uint32_t kMaxAttentionQueries = 48;

// Floats from one query to the next in scratch: the widest head, and 16 more so that the same
// dimension of all queries doesn't fall on the same few lines of a cache.
inline constexpr std::uint32_t kQueryStride = 256 + 16;

constexpr std::size_t attention_scratch_floats(std::uint32_t head_dim) {
  return std::size_t{kMaxAttentionQueries} * (kQueryStride + kAttentionRange + head_dim + 4);
}

constexpr std::size_t attention_part_floats(std::uint32_t n_queries, std::uint32_t head_dim) {
  return std::size_t{n_queries} * (head_dim + 2);
}

// The rotation of heads at one position. Element i turns with its partner: out[i] = (x[i] *
// cosines[i] + x[partner] * sines[i]) * scale, two products, their sum, and a product.
struct Rotation {
  const float* cosines;    // [rope_dim]
  const float* sines;      // [rope_dim], negative for the first of each pair
  std::uint32_t rope_dim;  // leading elements that turn
  std::uint32_t head_dim;  // the others are multiplied by scale
  bool halves;             // pairs are (i, i + rope_dim / 2), and not (2i, 2i + 1)
};

// One head of a gated delta net for some tokens of a text, one after the other. Token t:
//   state = decay * state, then state += key * (beta * (value - key . state)), out = query . state
// computed as: known = the sum of key[i] * state[i] before the decay; delta = (value - decay *
// known, one fma) * beta; state[i] = one fma of key[i] * delta into decay * state[i]; out = the sum
// of query[i] * state[i]. Sums run in four lanes, i modulo 4, of one fma each, which join as
// (0 + 1) + (2 + 3). So which tokens come together never shows.
struct DeltaTask {
  const float* queries;  // of the first token: [head_dim], with any scale
  const float* keys;
  const float* values;
  std::size_t stride;  // floats from one token to the next, of the three
  const float* decays;
  const float* betas;
  std::size_t gate_stride;  // of these two
  std::uint32_t n_tokens;
  std::uint32_t head_dim;  // a multiple of 16
  float* state;            // [head_dim / 16, head_dim, 16]: keys' dimensions between the values'
  float* out;              // [n_tokens, head_dim]
  std::size_t out_stride;
};

// What writes and reads the pages of one KvFormat. `head` is where the head begins in its page.
struct PageKernels {
  // Key or value of one token into slot `slot`. f16: values past its range clamped. q8_0: a block's
  // scale is its largest magnitude / 127 rounded to f16, and a number x * (1 / that scale), rounded
  // to nearest even and held to 127; magnitudes past 127 * 65504 are clamped.
  void (*store_key)(const float* key, std::uint32_t head_dim, std::uint32_t slot, std::byte* head);
  void (*store_value)(const float* value, std::uint32_t head_dim, std::uint32_t slot,
                      std::byte* head);

  // Softmax attention, exact inside a range of kAttentionRange positions. Score of a key, f16: one
  // fma a dimension, ascending. q8_0: for each block ascending, one fma a dimension from 0 over the
  // int8 numbers, then one fma of (that sum) * (the block's scale) into the score. Values: one fma
  // a position, ascending, of weight * number; q8_0's weight is first multiplied with the value's
  // scale, rounded once.
  void (*attend)(const AttentionTask& task);
};

// Sixteen groups of weights that share a scale each, group by group in the lanes, and one way to
// round them: level = (value + offset) * inverse, to the nearest of the levels.
struct LevelTrial {
  const float* values;      // [n, 16]
  const float* importance;  // [n, 16]: what each value's error weighs
  std::uint32_t n;          // values in a group
  float inverse[16];        // of each group's scale
  float offset[16];
  float least, most;  // levels are the whole numbers from here to there, within int8,
  // or, if there are choices, these, ascending and within int8; of two as near, the greater.
  std::span<const std::int8_t> choices;
};

// Sums over each group of importance * level, * level^2 and * level * value. Each is a chain of
// multiply-adds in the order of the values.
struct LevelSums {
  float level[16];
  float square[16];
  float product[16];
};

struct Kernels {
  std::string_view name;

  // One row of x, n_cols a multiple of 32. Scale: the largest magnitude, at least 2^-100, / 127.
  void (*quantize_row)(const float* x, std::uint32_t n_cols, std::int8_t* values,
                       ActivationBlock* blocks);

  // out[row, i] (+)= sum over inputs in ascending blocks; out is where the range's first row and
  // tile go, out_stride in floats. Quantized formats:
  // one fma of (integer sum) * (weight scale * activation scale) a block, or a half of one where a
  // format has a scale for each 16 (Q2_K, Q3_K, Q6_K), and where it has a minimum then one of
  // minimum * scaled_sum (Q2_K: -(the half's sum * scale)). Floats: one fma an input.
  void (*matmul)(const PackedMatrix& weights, const MatmulInput& in, const MatmulRange& range,
                 float* out, std::size_t out_stride, Epilogue epilogue);

  // out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]; n a multiple of 16. The sum runs in 16
  // lanes, joined by a fixed tree.
  void (*rms_norm)(const float* x, const float* weight, std::uint32_t n, float eps, float* out);
  // out[i] = (x[i] - mean(x)) / sqrt(variance(x) + eps) * weight[i] + bias[i], with sums as above;
  // out may be x.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, std::uint32_t n,
                     float eps, float* out);

  // out[i] = silu(gate[i]) * up[i]; n a multiple of 16; out may be gate.
  void (*silu_mul)(const float* gate, const float* up, std::uint32_t n, float* out);
  // The same with GELU in its tanh form.
  void (*gelu_mul)(const float* gate, const float* up, std::uint32_t n, float* out);
  // out[i] = GELU(x[i]) in its exact form, that of the error function; out may be x.
  void (*gelu)(const float* x, std::uint32_t n, float* out);
  // g * sigmoid(1.702 g) * (u + 1), g = min(gate, 7), u = up held to -7 and 7: gpt-oss's.
  void (*clamped_silu_mul)(const float* gate, const float* up, std::uint32_t n, float* out);

  // out[i] = x[i] * sigmoid(gate[i]); n a multiple of 16; out may be x.
  void (*sigmoid_mul)(const float* gate, const float* x, std::uint32_t n, float* out);

  void (*rotate)(const Rotation& rotation, float scale, float* head);

  // out[i] = silu of the sum of rows[j][i] * weights[j, i], one fma each, j ascending from 0 to
  // width; n a multiple of 16.
  void (*conv_silu)(const float* const* rows, const float* weights, std::uint32_t width,
                    std::uint32_t n, float* out);
  void (*gated_delta)(const DeltaTask& task);

  PageKernels pages[std::size(kKvFormats)];  // in the order of KvFormat

  // Writes task.out from the parts of all its ranges.
  void (*merge_attention)(const AttentionTask& task);

  // levels: [n, 16], where the chosen ones go, or null.
  void (*try_levels)(const LevelTrial& trial, LevelSums& sums, std::int8_t* levels);

  // What limits all of the above, for limits.h: rounds of int8 dot products and of f32
  // multiply-adds out of registers, and reading n floats, a multiple of 64. Results only keep the
  // compiler from leaving the work out.
  std::int32_t (*spin_dot)(std::uint32_t n_rounds);
  float (*spin_fma)(std::uint32_t n_rounds);
  float (*spin_read)(const float* from, std::size_t n);

  [[nodiscard]] constexpr const PageKernels& pages_of(KvFormat format) const {
    return pages[static_cast<std::size_t>(format)];
  }
};

// Operations in one round of spin_dot and spin_fma.
inline constexpr double kOpsInSpinDot = 12 * 16 * 4 * 2;
inline constexpr double kFlopsInSpinFma = 12 * 16 * 2;

const Kernels& scalar_kernels();

// Every table that this machine can run, best first; the last is always "scalar".
std::span<const Kernels* const> available_kernels();

// The best table, or the one that JARIP_CPU names. Errors: kInvalidArgument for a name that isn't
// one of available_kernels().
[[nodiscard]] Result<const Kernels*> select_kernels();

// Columns [column, column + n_cols) of a row, where anybody reads them; from: the first of them.
inline void quantize(const Kernels& kernels, const float* from, std::uint32_t n_cols,
                     QuantizedRows& to, std::size_t row, std::size_t column = 0) {
  if (!to.is_read) return;
  const std::size_t at = row * to.n_cols + column;
  kernels.quantize_row(from, n_cols, to.values.data() + at, to.blocks.data() + at / kBlockCols);
}

}  // namespace jarip

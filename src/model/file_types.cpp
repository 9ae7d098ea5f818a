#include "model/file_types.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace jarip {
namespace {

// The output matrix of the types below eight bits is kept at six.
constexpr std::array kRows = {
    FileTypeRow{FileType::kF32, "f32", 0, Format::kF32, Format::kF32, Format::kF32},
    FileTypeRow{FileType::kF16, "f16", 1, Format::kF16, Format::kF16, Format::kF16},
    FileTypeRow{FileType::kBF16, "bf16", 32, Format::kBF16, Format::kBF16, Format::kBF16},
    FileTypeRow{FileType::kQ8_0, "q8_0", 7, Format::kQ8_0, Format::kQ8_0, Format::kQ8_0},
    FileTypeRow{FileType::kQ4_0, "q4_0", 2, Format::kQ4_0, Format::kQ6_K, Format::kQ4_0},
    FileTypeRow{FileType::kQ4_1, "q4_1", 3, Format::kQ4_1, Format::kQ6_K, Format::kQ4_1},
    FileTypeRow{FileType::kQ5_0, "q5_0", 8, Format::kQ5_0, Format::kQ6_K, Format::kQ5_0},
    FileTypeRow{FileType::kQ5_1, "q5_1", 9, Format::kQ5_1, Format::kQ6_K, Format::kQ5_1},
    FileTypeRow{FileType::kQ2_K, "q2_k", 10, Format::kQ2_K, Format::kQ6_K, Format::kQ2_K},
    FileTypeRow{FileType::kQ2_K_S, "q2_k_s", 21, Format::kQ2_K, Format::kQ6_K, Format::kQ2_K},
    FileTypeRow{FileType::kQ3_K_S, "q3_k_s", 11, Format::kQ3_K, Format::kQ6_K, Format::kQ3_K},
    FileTypeRow{FileType::kQ3_K_M, "q3_k_m", 12, Format::kQ3_K, Format::kQ6_K, Format::kQ3_K},
    FileTypeRow{FileType::kQ3_K_L, "q3_k_l", 13, Format::kQ3_K, Format::kQ6_K, Format::kQ3_K},
    FileTypeRow{FileType::kQ4_K_S, "q4_k_s", 14, Format::kQ4_K, Format::kQ6_K, Format::kQ4_K},
    FileTypeRow{FileType::kQ4_K_M, "q4_k_m", 15, Format::kQ4_K, Format::kQ6_K, Format::kQ6_K},
    FileTypeRow{FileType::kQ5_K_S, "q5_k_s", 16, Format::kQ5_K, Format::kQ6_K, Format::kQ5_K},
    FileTypeRow{FileType::kQ5_K_M, "q5_k_m", 17, Format::kQ5_K, Format::kQ6_K, Format::kQ6_K},
    FileTypeRow{FileType::kQ6_K, "q6_k", 18, Format::kQ6_K, Format::kQ6_K, Format::kQ6_K},
    FileTypeRow{FileType::kIQ4_NL, "iq4_nl", 25, Format::kIQ4_NL, Format::kQ6_K, Format::kIQ4_NL},
    FileTypeRow{FileType::kIQ4_XS, "iq4_xs", 30, Format::kIQ4_XS, Format::kQ6_K, Format::kIQ4_XS},
    FileTypeRow{FileType::kMXFP4, "mxfp4", 38, Format::kQ8_0, Format::kQ8_0, Format::kQ8_0},
};

enum class Where : std::uint8_t {
  kEverywhere,
  kFirst2,  // layers
  kFirst4,
  kSixteenth,  // the first of the layers
  kEighth,
  kWideGroups,  // models with four query heads and more for each key-value head
};

struct Exception {
  FileType type;
  std::string_view name;  // of the matrix, between "blk.3." and ".weight"
  Where where;
  Format format;
};

// Of several that hold, the first counts. As llama.cpp's quantizer chooses, without an importance
// matrix; but it gives MXFP4 to experts only, and here every feed-forward matrix has it, so that a
// model without experts shows the format too.
constexpr Exception kExceptions[] = {
    {FileType::kQ2_K, "attn_v", Where::kWideGroups, Format::kQ4_K},
    {FileType::kQ2_K, "attn_v", Where::kEverywhere, Format::kQ3_K},
    {FileType::kQ2_K, "attn_output", Where::kEverywhere, Format::kQ3_K},
    {FileType::kQ2_K, "ffn_down", Where::kEverywhere, Format::kQ3_K},
    {FileType::kQ2_K_S, "attn_v", Where::kWideGroups, Format::kQ4_K},
    {FileType::kQ2_K_S, "ffn_down", Where::kEighth, Format::kQ4_K},
    {FileType::kQ3_K_M, "attn_v", Where::kFirst2, Format::kQ5_K},
    {FileType::kQ3_K_M, "attn_v", Where::kEverywhere, Format::kQ4_K},
    {FileType::kQ3_K_M, "attn_output", Where::kEverywhere, Format::kQ4_K},
    {FileType::kQ3_K_M, "ffn_down", Where::kSixteenth, Format::kQ5_K},
    {FileType::kQ3_K_M, "ffn_down", Where::kEverywhere, Format::kQ4_K},
    {FileType::kQ3_K_L, "attn_v", Where::kEverywhere, Format::kQ5_K},
    {FileType::kQ3_K_L, "attn_output", Where::kEverywhere, Format::kQ5_K},
    {FileType::kQ3_K_L, "ffn_down", Where::kEverywhere, Format::kQ5_K},
    {FileType::kQ4_K_S, "attn_v", Where::kFirst4, Format::kQ5_K},
    {FileType::kQ4_K_S, "ffn_down", Where::kEighth, Format::kQ5_K},
    {FileType::kIQ4_NL, "attn_v", Where::kWideGroups, Format::kQ5_K},
    {FileType::kIQ4_NL, "ffn_down", Where::kEighth, Format::kQ5_K},
    {FileType::kIQ4_XS, "attn_v", Where::kWideGroups, Format::kQ5_K},
    {FileType::kIQ4_XS, "ffn_down", Where::kEighth, Format::kQ5_K},
    {FileType::kMXFP4, "ffn_gate", Where::kEverywhere, Format::kMXFP4},
    {FileType::kMXFP4, "ffn_up", Where::kEverywhere, Format::kMXFP4},
    {FileType::kMXFP4, "ffn_down", Where::kEverywhere, Format::kMXFP4},
    {FileType::kMXFP4, "ffn_gate_exps", Where::kEverywhere, Format::kMXFP4},
    {FileType::kMXFP4, "ffn_up_exps", Where::kEverywhere, Format::kMXFP4},
    {FileType::kMXFP4, "ffn_down_exps", Where::kEverywhere, Format::kMXFP4},
};

struct LayerMatrix {
  std::uint32_t layer;
  std::string_view name;
};

// "blk.3.ffn_up.weight" taken apart; nothing for other tensors.
std::optional<LayerMatrix> layer_matrix(std::string_view name) {
  constexpr std::string_view kBegin = "blk.";
  constexpr std::string_view kEnd = ".weight";
  if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) return std::nullopt;
  name = name.substr(kBegin.size(), name.size() - kBegin.size() - kEnd.size());
  std::uint32_t layer = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  if (error != std::errc{}) return std::nullopt;
  return LayerMatrix{layer, name.substr(static_cast<std::size_t>(end - name.data()) + 1)};
}

bool holds(Where where, std::uint32_t layer, const MatrixPlace& place) {
  switch (where) {
    case Where::kEverywhere:
      return true;
    case Where::kFirst2:
      return layer < 2;
    case Where::kFirst4:
      return layer < 4;
    case Where::kSixteenth:
      return layer < place.n_layers / 16;
    case Where::kEighth:
      return layer < place.n_layers / 8;
    case Where::kWideGroups:
      return place.n_group >= 4;
  }
  return false;
}

Format fitting(Format format, std::uint64_t n_cols) {
  if (n_cols % format_row(format).block_size == 0) return format;
  switch (format) {
    case Format::kQ2_K:
    case Format::kQ3_K:
    case Format::kIQ4_XS:
      return Format::kIQ4_NL;
    case Format::kQ4_K:
      return Format::kQ5_0;
    case Format::kQ5_K:
      return Format::kQ5_1;
    default:
      return Format::kQ8_0;
  }
}

}  // namespace

std::span<const FileTypeRow> file_types() { return kRows; }

const FileTypeRow& file_type_row(FileType type) {
  return *std::ranges::find(kRows, type, &FileTypeRow::type);
}

bool matters_more(std::uint32_t layer, std::uint32_t n_layers) {
  return layer < n_layers / 8 || layer >= 7 * n_layers / 8 || (layer - n_layers / 8) % 3 == 2;
}

Format format_at(FileType type, Format format, const MatrixPlace& place) {
  if (const auto matrix = layer_matrix(place.name)) {
    const auto* const found = std::ranges::find_if(kExceptions, [&](const Exception& row) {
      return row.type == type && row.name == matrix->name && holds(row.where, matrix->layer, place);
    });
    if (found != std::end(kExceptions)) format = found->format;
  }
  return fitting(format, place.n_cols);
}

}  // namespace jarip

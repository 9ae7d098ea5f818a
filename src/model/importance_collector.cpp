#include "model/importance_collector.h"

#include <charconv>
#include <optional>
#include <string_view>

namespace jarip {
namespace {

struct Reader {
  std::string_view name;  // of a matrix, between "blk.3." and ".weight"
  ProductInput input;
  std::uint32_t expert = 0;  // the first that it is of
};

constexpr Reader kReaders[] = {
    {"attn_q", ProductInput::kAttention},
    {"attn_k", ProductInput::kAttention},
    {"attn_v", ProductInput::kAttention},
    {"attn_qkv", ProductInput::kAttention},
    {"attn_gate", ProductInput::kAttention},
    {"ssm_beta", ProductInput::kAttention},
    {"ssm_alpha", ProductInput::kAttention},
    {"attn_output", ProductInput::kAttentionOut},
    {"ssm_out", ProductInput::kAttentionOut},
    {"ffn_gate", ProductInput::kFeedForward},
    {"ffn_up", ProductInput::kFeedForward},
    {"ffn_gate_exps", ProductInput::kFeedForward},
    {"ffn_up_exps", ProductInput::kFeedForward},
    {"ffn_gate_up_exps", ProductInput::kFeedForward},
    {"ffn_gate_shexp", ProductInput::kFeedForward, kSharedExpert},
    {"ffn_up_shexp", ProductInput::kFeedForward, kSharedExpert},
    {"ffn_down_shexp", ProductInput::kDown, kSharedExpert},
    {"ffn_down", ProductInput::kDown},
    {"ffn_down_exps", ProductInput::kDown},
};

struct Place {
  ProductInput input;
  std::uint32_t layer;
  std::uint32_t expert;  // the first, where there are several
};

std::optional<Place> place_of(std::string_view name, bool has_output) {
  if (name == (has_output ? "output.weight" : "token_embd.weight")) {
    return Place{ProductInput::kOutput, 0, 0};
  }
  constexpr std::string_view kBegin = "blk.";
  if (!name.starts_with(kBegin)) return std::nullopt;
  std::uint32_t layer = 0;
  const char* const end = name.data() + name.size();
  const auto [after, error] = std::from_chars(name.data() + kBegin.size(), end, layer);
  if (error != std::errc{} || after == end) return std::nullopt;
  const std::string_view rest(after + 1, end);
  for (const Reader& reader : kReaders) {
    if (rest.starts_with(reader.name) && rest.substr(reader.name.size()) == ".weight") {
      return Place{reader.input, layer, reader.expert};
    }
  }
  return std::nullopt;
}

}  // namespace

void ImportanceCollector::on_rows(ProductInput input, std::uint32_t layer, std::uint32_t expert,
                                  std::span<const float> rows, std::uint32_t n_cols) {
  Sums& sums = sums_[{input, layer, expert}];
  sums.squares.resize(n_cols);
  for (std::size_t row = 0; row < rows.size(); row += n_cols) {
    for (std::uint32_t i = 0; i < n_cols; ++i) {
      const float value = rows[row + i];
      sums.squares[i] += static_cast<double>(value * value);
    }
    ++sums.n_rows;
  }
}

Importance ImportanceCollector::result(const GgufFile& file) const {
  Importance importance;
  const bool has_output = file.find_tensor("output.weight") != nullptr;
  for (const GgufTensor& tensor : file.tensors()) {
    const auto place = place_of(tensor.name, has_output);
    if (place) fill(tensor, place->input, place->layer, place->expert, importance);
  }
  return importance;
}

void ImportanceCollector::fill(const GgufTensor& tensor, ProductInput input, std::uint32_t layer,
                               std::uint32_t first_expert, Importance& importance) const {
  const std::uint64_t n_cols = tensor.shape[0];
  const std::uint64_t n_matrices = tensor.shape[2] * tensor.shape[3];
  for (std::uint64_t matrix = 0; matrix < n_matrices; ++matrix) {
    const std::uint32_t expert = first_expert + static_cast<std::uint32_t>(matrix);
    const auto found = sums_.find({input, layer, expert});
    if (found == sums_.end() || found->second.squares.size() != n_cols) continue;
    Importance::Entry& entry = importance.entry(tensor.name, n_cols, n_matrices);
    entry.counts[matrix] = static_cast<float>(found->second.n_rows);
    for (std::uint64_t i = 0; i < n_cols; ++i) {
      entry.sums[matrix * n_cols + i] = static_cast<float>(found->second.squares[i]);
    }
  }
}

}  // namespace jarip

#include "model/adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <span>
#include <string_view>
#include <utility>

#include "tensor/dequantize.h"

namespace jarip {
namespace {

constexpr std::string_view kNarrow = ".lora_a";
constexpr std::string_view kWide = ".lora_b";

// Rows [first, first + n) of the file's matrix are those of one of ours.
struct Part {
  AdaptedMatrix matrix;
  std::uint32_t first;
  std::uint32_t n;
};

// A matrix of the model by the name that files have for it.
struct Target {
  std::vector<Part> parts;
  std::uint32_t n_in = 0;

  [[nodiscard]] std::uint32_t n_out() const { return parts.back().first + parts.back().n; }
};

struct Place {
  std::uint32_t layer = 0;
  std::string_view name;  // "attn_q"
};

// Empty parts: none that an adapter may change here.
Target target_of(const Place& place, const ModelConfig& config, std::uint64_t n_out) {
  using enum AdaptedMatrix;
  const std::string_view name = place.name;
  // What attention has isn't there, and matrices of its names are others.
  if (config.layers[place.layer].recurrent && name.starts_with("attn_")) return {};
  const std::uint32_t attended = config.n_heads * config.head_dim;
  const std::uint32_t query_dim = config.gated_attention ? 2 * attended : attended;
  const std::uint32_t kv_dim = config.n_kv_heads * config.head_dim;
  const std::uint32_t d = config.d_model;
  if (name == "attn_q") return {{{kQuery, 0, query_dim}}, d};
  if (name == "attn_k") return {{{kKey, 0, kv_dim}}, d};
  if (name == "attn_v") return {{{kValue, 0, kv_dim}}, d};
  if (name == "attn_qkv") {
    return {
        {{kQuery, 0, query_dim}, {kKey, query_dim, kv_dim}, {kValue, query_dim + kv_dim, kv_dim}},
        d};
  }
  if (name == "attn_output") return {{{kAttentionOut, 0, d}}, attended};
  if (config.n_experts != 0) return {};
  const std::uint32_t d_ff = config.d_ff;
  if (name == "ffn_gate") return {{{kGate, 0, d_ff}}, d};
  if (name == "ffn_up" && n_out == 2ULL * d_ff) return {{{kGate, 0, d_ff}, {kUp, d_ff, d_ff}}, d};
  if (name == "ffn_up") return {{{kUp, 0, d_ff}}, d};
  if (name == "ffn_down") return {{{kDown, 0, d}}, d_ff};
  return {};
}

// Of "blk.3.attn_q.weight"; nothing for any other.
std::optional<Place> place_of(std::string_view stem) {
  constexpr std::string_view kPrefix = "blk.";
  constexpr std::string_view kSuffix = ".weight";
  if (!stem.starts_with(kPrefix) || !stem.ends_with(kSuffix)) return std::nullopt;
  stem.remove_prefix(kPrefix.size());
  stem.remove_suffix(kSuffix.size());
  Place place;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), place.layer);
  if (error != std::errc() || end == stem.data() + stem.size() || *end != '.') return std::nullopt;
  place.name = stem.substr(static_cast<std::size_t>(end - stem.data()) + 1);
  return place;
}

// Rows of a tensor, packed as floats.
Result<PackedMatrix> pack_rows(const GgufTensor& tensor, std::uint32_t first, std::uint32_t n,
                               ThreadPool& pool) {
  const auto n_cols = static_cast<std::uint32_t>(tensor.shape[0]);
  const std::size_t bytes = row_bytes(tensor.format, n_cols);
  const auto stored = tensor.data.subspan(first * bytes, n * bytes);
  if (is_float(tensor.format)) return PackedMatrix::pack(tensor.format, stored, n, n_cols, pool);
  std::vector<float> values(std::size_t{n} * n_cols);
  dequantize_row(tensor.format, stored, values);
  return PackedMatrix::pack(Format::kF32, std::as_bytes(std::span(values)), n, n_cols, pool);
}

std::unexpected<Error> fail_shape(const GgufTensor& tensor, std::uint64_t n_cols,
                                  std::string_view n_rows) {
  return fail(ErrorCode::kCorrupt,
              fmt::format("tensor {} has shape [{}, {}]; the model calls for [{}, {}]", tensor.name,
                          tensor.shape[0], tensor.shape[1], n_cols, n_rows),
              std::string(tensor.name));
}

Result<void> check_shapes(const GgufTensor& narrow, const GgufTensor& wide, const Target& target) {
  const std::uint64_t rank = narrow.shape[1];
  if (narrow.n_dims > 2 || narrow.shape[0] != target.n_in || rank > Adapter::kMaxRank) {
    return fail_shape(narrow, target.n_in, fmt::format("up to {}", Adapter::kMaxRank));
  }
  if (wide.n_dims > 2 || wide.shape[0] != rank || wide.shape[1] != target.n_out()) {
    return fail_shape(wide, rank, std::to_string(target.n_out()));
  }
  return {};
}

struct StoredPair {
  const GgufTensor* narrow;
  const GgufTensor* wide;
  Target target;
  std::uint32_t layer;
};

// The pair that a tensor is half of.
Result<StoredPair> pair_of(const GgufTensor& tensor, const GgufFile& file,
                           const ModelConfig& config) {
  const bool is_narrow = tensor.name.ends_with(kNarrow);
  const auto stem =
      tensor.name.substr(0, tensor.name.size() - std::min(kNarrow.size(), tensor.name.size()));
  const auto place = is_narrow || tensor.name.ends_with(kWide) ? place_of(stem) : std::nullopt;
  if (place && place->layer < config.n_layers) {
    const std::string other_name = fmt::format("{}{}", stem, is_narrow ? kWide : kNarrow);
    const GgufTensor* other = file.find_tensor(other_name);
    if (other == nullptr) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("tensor {} is there without {}", tensor.name, other_name),
                  other_name);
    }
    const GgufTensor* wide = is_narrow ? other : &tensor;
    Target target = target_of(*place, config, wide->shape[1]);
    if (!target.parts.empty()) {
      return StoredPair{is_narrow ? &tensor : other, wide, std::move(target), place->layer};
    }
  }
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("tensor {} changes what adapters can't change in this model", tensor.name),
      std::string(tensor.name));
}

Result<std::vector<StoredPair>> find_pairs(const GgufFile& file, const ModelConfig& config) {
  std::vector<StoredPair> pairs;
  for (const GgufTensor& tensor : file.tensors()) {
    JARIP_TRY(StoredPair pair, pair_of(tensor, file, config));
    if (pair.narrow != &tensor) continue;  // comes with its other half
    JARIP_CHECK(check_shapes(*pair.narrow, *pair.wide, pair.target));
    pairs.push_back(std::move(pair));
  }
  if (!pairs.empty()) return pairs;
  return fail(ErrorCode::kCorrupt, "the adapter changes nothing: it has no tensors");
}

Result<float> read_alpha(const GgufFile& file) {
  const auto read_word = [&](std::string_view key, std::string_view wanted) -> Result<void> {
    JARIP_TRY(const std::string_view word, file.read_string(key));
    if (word == wanted) return {};
    return fail(ErrorCode::kUnsupported, fmt::format("{} is \"{}\", not \"{}\"", key, word, wanted),
                fmt::format("key {}", key));
  };
  JARIP_CHECK(read_word("general.type", "adapter"));
  JARIP_CHECK(read_word("adapter.type", "lora"));
  constexpr std::string_view kInvocation = "adapter.alora.invocation_tokens";
  if (file.find_value(kInvocation) != nullptr) {
    return fail(ErrorCode::kUnsupported,
                "the adapter is to begin at certain tokens (aLoRA), which can't be done here",
                fmt::format("key {}", kInvocation));
  }
  JARIP_TRY(const double alpha, file.read_float("adapter.lora.alpha"));
  return static_cast<float>(alpha);
}

}  // namespace

Adapter::Adapter() {
  static std::atomic<std::uint64_t> last{0};
  serial_ = ++last;
}

bool is_adapter(const GgufFile& file) {
  const auto type = file.find_value("general.type") == nullptr ? Result<std::string_view>("")
                                                               : file.read_string("general.type");
  return type && *type == "adapter";
}

Result<std::unique_ptr<Adapter>> Adapter::load(const GgufFile& file, const ModelConfig& config,
                                               ThreadPool& pool) {
  JARIP_TRY(const float alpha, read_alpha(file));
  JARIP_TRY(const std::string_view family, file.read_string("general.architecture"));
  if (family != config.family) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the adapter is for models of the family {}, and this one is of {}",
                            family, config.family),
                "key general.architecture");
  }
  JARIP_TRY(const std::vector<StoredPair> pairs, find_pairs(file, config));
  std::unique_ptr<Adapter> adapter(new Adapter());
  adapter->layers_.resize(config.n_layers);
  for (const StoredPair& pair : pairs) {
    const auto rank = static_cast<std::uint32_t>(pair.narrow->shape[1]);
    for (const Part& part : pair.target.parts) {
      LowRank& to = adapter->layers_[pair.layer][static_cast<std::size_t>(part.matrix)].emplace();
      JARIP_TRY(to.narrow, pack_rows(*pair.narrow, 0, rank, pool));
      JARIP_TRY(to.wide, pack_rows(*pair.wide, part.first, part.n, pool));
      if (alpha != 0) to.scale = alpha / static_cast<float>(rank);
    }
    adapter->max_rank_ = std::max(adapter->max_rank_, rank);
  }
  return adapter;
}

std::size_t Adapter::memory_bytes() const {
  std::size_t sum = 0;
  for (const auto& layer : layers_) {
    for (const auto& pair : layer) {
      if (pair) sum += pair->narrow.memory_bytes() + pair->wide.memory_bytes();
    }
  }
  return sum;
}

}  // namespace jarip

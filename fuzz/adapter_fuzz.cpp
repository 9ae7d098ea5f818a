// Any bytes as an adapter file for a small model: a Result, and pairs that fit the model.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/thread_pool.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/gguf.h"

namespace jarip {
namespace {

ModelConfig small_model() {
  ModelConfig config;
  config.family = "llama";
  config.n_layers = 2;
  config.d_model = 32;
  config.n_heads = 2;
  config.n_kv_heads = 1;
  config.head_dim = 16;
  config.d_ff = 64;
  config.layers.resize(config.n_layers);
  return config;
}

void check(const Adapter& adapter, const ModelConfig& config) {
  for (std::uint32_t layer = 0; layer < config.n_layers; ++layer) {
    for (std::size_t i = 0; i < kAdaptedMatrices; ++i) {
      const LowRank* pair = adapter.find(layer, static_cast<AdaptedMatrix>(i));
      if (pair == nullptr) continue;
      if (pair->wide.n_cols() != pair->rank() || pair->rank() > adapter.max_rank()) std::abort();
    }
  }
}

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t n_bytes) {
  static const jarip::ModelConfig config = jarip::small_model();
  static jarip::ThreadPool pool(1);
  const auto file = jarip::GgufFile::parse(std::as_bytes(std::span(bytes, n_bytes)));
  if (!file) return 0;
  const auto adapter = jarip::Adapter::load(*file, config, pool);
  if (adapter) jarip::check(**adapter, config);
  return 0;
}

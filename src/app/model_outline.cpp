#include "app/model_outline.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/loading.h"
#include "base/byte_size.h"
#include "engine/kv_pages.h"
#include "engine/limits.h"
#include "model/config.h"
#include "model/embedding_model.h"
#include "model/encoder_config.h"
#include "model/file_types.h"
#include "model/memory_need.h"

namespace jarip {
namespace {

constexpr std::uint32_t kDefaultTextContext = 8192;  // of decoders that embed
// The vocabulary's texts, its index and what is drawn from, by token: measured with vocabularies of
// 30,000 to 150,000 tokens.
constexpr std::uint64_t kTokenBytes = 400;

std::string format_of(const GgufFile& file) {
  const auto number = file.read_uint("general.file_type");
  if (!number) return {};
  const auto row = std::ranges::find(file_types(), *number, &FileTypeRow::number);
  return row == file_types().end() ? std::string() : std::string(row->name);
}

Result<void> outline_writer(const GgufFile& file, const LoadedModelOptions& options,
                            ModelOutline& out) {
  JARIP_TRY(const ModelConfig config, read_config(file));
  const std::size_t per_page = kv_page_bytes(std::size_t{config.n_layers} * config.n_kv_heads,
                                             config.head_dim, options.path, options.kv_format);
  JARIP_TRY(const EngineLimits limits, work_out_limits(options.engine, config, per_page));
  out.n_vocab = config.n_vocab;
  out.n_ctx = limits.n_ctx;
  out.n_ctx_train = config.n_ctx_train;
  out.memory.kv = std::uint64_t{limits.n_pages} * per_page;
  out.memory.scratch = step_bytes(config, limits.max_step_tokens) +
                       std::uint64_t{limits.max_sequences} * config.n_vocab * sizeof(float) +
                       config.n_vocab * kTokenBytes;
  return {};
}

Result<void> outline_embedder(const GgufFile& file, const LoadedModelOptions& options,
                              ModelOutline& out) {
  const bool is_encoder = find_encoder_family(out.family) != nullptr;
  ModelConfig config;
  if (is_encoder) {
    JARIP_TRY(EncoderConfig encoder, read_encoder_config(file));
    config = std::move(encoder.shape);
  } else {
    JARIP_TRY(config, read_config(file));
  }
  if (options.path == ComputePath::kReference) {
    return fail(ErrorCode::kUnsupported,
                "models that embed have no reference path; leave --path out", "path");
  }
  const std::uint32_t most = is_encoder ? config.n_ctx_train : kDefaultTextContext;
  out.task = config.pooling == Pooling::kRank ? ModelTask::kRank : ModelTask::kEmbed;
  out.n_vocab = config.n_vocab;
  out.n_ctx_train = config.n_ctx_train;
  out.n_ctx = std::min(options.engine.n_ctx == 0 ? most : options.engine.n_ctx, config.n_ctx_train);
  // A text is computed whole, or many small ones with a page each; an encoder keeps one layer.
  const std::uint32_t n_step = std::max(out.n_ctx, options.engine.max_step_tokens);
  const std::uint32_t n_heads = is_encoder ? config.n_heads : config.n_layers * config.n_kv_heads;
  const std::uint64_t per_page =
      kv_page_bytes(n_heads, config.head_dim, options.path, KvFormat::kF16);
  out.memory.kv = std::max(pages_for(n_step), options.engine.max_step_tokens) * per_page;
  out.memory.scratch = step_bytes(config, is_encoder ? n_step : options.engine.max_step_tokens) +
                       config.n_vocab * kTokenBytes;
  return {};
}

}  // namespace

Result<ModelOutline> outline_model(const GgufFile& file, const LoadedModelOptions& options) {
  ModelOutline out;
  JARIP_TRY(out.family, file.read_string("general.architecture"));
  out.format = format_of(file);
  JARIP_TRY(const bool embeds, is_embedding_model(file));
  if (embeds) {
    JARIP_CHECK(outline_embedder(file, options, out));
  } else {
    JARIP_CHECK(outline_writer(file, options, out));
  }
  out.memory.weights = weight_bytes(file, options.path);
  return out;
}

Result<void> check_memory(std::string_view name, const ModelMemory& memory,
                          std::uint64_t n_available_bytes) {
  if (memory.total() <= n_available_bytes) return {};
  return fail(ErrorCode::kTooLarge,
              fmt::format("{} needs {} of memory ({} weights, {} keys and values, {} to compute "
                          "with) and models may take {}; a smaller --ctx or --kv-cache, "
                          "--kv-format q8_0 or a smaller file makes it less, --memory allows more",
                          name, format_bytes(memory.total()), format_bytes(memory.weights),
                          format_bytes(memory.kv), format_bytes(memory.scratch),
                          format_bytes(n_available_bytes)),
              std::string(kMemory));
}

std::string_view task_name(ModelTask task) {
  switch (task) {
    case ModelTask::kWrite:
      return "completion";
    case ModelTask::kEmbed:
      return "embedding";
    case ModelTask::kRank:
      return "rerank";
  }
  return "completion";
}

}  // namespace jarip

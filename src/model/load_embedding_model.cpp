#include <fmt/format.h>

#include "model/decoder_embedding.h"
#include "model/embedding_model.h"
#include "model/encoder.h"
#include "model/encoder_config.h"
#include "model/encoder_tensors.h"

namespace jarip {

Result<bool> is_embedding_model(const GgufFile& file) {
  JARIP_TRY(const std::string_view family, file.read_string("general.architecture"));
  if (find_encoder_family(family) != nullptr) return true;
  JARIP_TRY(const Pooling pooling, read_pooling(file));
  return pooling != Pooling::kNone;
}

Result<std::unique_ptr<EmbeddingModel>> load_embedding_model(const GgufFile& file, ThreadPool& pool,
                                                             const EmbeddingLoadOptions& options) {
  JARIP_TRY(const std::string_view family, file.read_string("general.architecture"));
  if (find_encoder_family(family) == nullptr) return DecoderEmbedding::load(file, pool, options);
  JARIP_TRY(const EncoderConfig config, read_encoder_config(file));
  JARIP_TRY(const EncoderTensors tensors, find_encoder_tensors(file, config));
  return Encoder::load(config, tensors, pool, options,
                       [&file](std::span<const std::byte> part) { file.release(part); });
}

}  // namespace jarip

#include <fmt/format.h>

#include "model/model.h"
#include "model/reference.h"
#include "model/tensors.h"
#include "model/transformer.h"

namespace jarip {

Result<std::unique_ptr<Model>> load_model(const GgufFile& file, ThreadPool& pool,
                                          const LoadOptions& options) {
  JARIP_TRY(const ModelConfig config, read_config(file));
  JARIP_TRY(const ModelTensors tensors, find_tensors(file, config));
  switch (options.path) {
    case ComputePath::kReference:
      if (options.kv_format != KvFormat::kF16) {
        return fail(ErrorCode::kUnsupported,
                    fmt::format("the reference path keeps keys and values in 32 bits; {} is for "
                                "the optimized path",
                                kv_format_name(options.kv_format)),
                    "kv_format");
      }
      if (options.output != StepOutput::kLogits) {
        return fail(ErrorCode::kUnsupported, "the reference path gives logits only", "path");
      }
      return load_reference(config, tensors, pool);
    case ComputePath::kOptimized:
      break;
  }
  return Transformer::load(config, tensors, pool, options,
                           [&file](std::span<const std::byte> part) { file.release(part); });
}

}  // namespace jarip

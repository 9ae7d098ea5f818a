// A LoRA adapter as PEFT saves it (adapter_config.json and adapter_model.safetensors) as the GGUF
// file that it becomes. A free function; any thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace jarip {

// The bytes of a GGUF file for models of that config; only the model says how its heads are
// rotated. folder: with both files. Errors, by the name of field or tensor: kNotFound, kIo,
// kCorrupt, kUnsupported (an adapter of another kind, or one that changes more than matrices).
[[nodiscard]] Result<std::vector<std::byte>> convert_adapter(const std::filesystem::path& folder,
                                                             const ModelConfig& base);

}  // namespace jarip

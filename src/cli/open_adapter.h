// LoRA adapters as people name them: a GGUF file, or a folder as PEFT saves it. For the commands'
// own thread.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/adapter.h"
#include "model/config.h"

namespace jarip {

// Errors: kNotFound, and those of GgufFile::open, convert_adapter and Adapter::load.
[[nodiscard]] Result<std::unique_ptr<Adapter>> open_adapter(const std::filesystem::path& path,
                                                            const ModelConfig& base,
                                                            ThreadPool& pool);

}  // namespace jarip

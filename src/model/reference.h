// The reference path: weights as f32, plain f32 arithmetic, KV in f32, no quantized activations.
// Slow and simple: the truth that the optimized path is measured against.
#pragma once

#include <memory>

#include "base/result.h"
#include "base/thread_pool.h"
#include "model/config.h"
#include "model/model.h"
#include "model/tensors.h"

namespace jarip {

[[nodiscard]] Result<std::unique_ptr<Model>> load_reference(const ModelConfig& config,
                                                            const ModelTensors& tensors,
                                                            ThreadPool& pool);

}  // namespace jarip

#include "app/model_catalogue.h"

#include <algorithm>

namespace jarip {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20U;
// What the rest of the machine keeps.
constexpr double kPartForModel = 0.5;

// KV: layers × heads of keys and values × head size × 2 (both) × 2 bytes × 4,096 tokens.
constexpr CatalogueModel kModels[] = {
    {.name = "smollm2-135m-instruct",
     .repository = "bartowski/SmolLM2-135M-Instruct-GGUF",
     .file = "SmolLM2-135M-Instruct-Q8_0.gguf",
     .n_bytes = 145'000'000,
     .n_kv_bytes = 90 * kMiB,
     .speaks_korean = false,
     .licence = "Apache-2.0",
     .about = {"tiny, to try things out; often wrong", "아주 작다. 시험용이며 자주 틀린다"}},
    {.name = "llama-3.2-1b-instruct",
     .repository = "bartowski/Llama-3.2-1B-Instruct-GGUF",
     .file = "Llama-3.2-1B-Instruct-Q4_K_M.gguf",
     .n_bytes = 807'700'000,
     .n_kv_bytes = 128 * kMiB,
     .speaks_korean = false,
     .licence = "Llama 3.2",
     .about = {"small and quick", "작고 빠르다"}},
    {.name = "exaone-4.0-1.2b",
     .repository = "LGAI-EXAONE/EXAONE-4.0-1.2B-GGUF",
     .file = "EXAONE-4.0-1.2B-Q4_K_M.gguf",
     .n_bytes = 812'000'000,
     .n_kv_bytes = 240 * kMiB,
     .speaks_korean = true,
     .is_commercial = false,
     .licence = "EXAONE, non-commercial",
     .about = {"small, Korean and English", "작다. 한국어와 영어"}},
    {.name = "qwen3-0.6b",
     .repository = "Qwen/Qwen3-0.6B-GGUF",
     .file = "Qwen3-0.6B-Q8_0.gguf",
     .n_bytes = 639'000'000,
     .n_kv_bytes = 448 * kMiB,
     .speaks_korean = false,
     .licence = "Apache-2.0",
     .about = {"tiny, thinks before it answers", "아주 작다. 생각하고 답한다"}},
    {.name = "smollm2-1.7b-instruct",
     .repository = "bartowski/SmolLM2-1.7B-Instruct-GGUF",
     .file = "SmolLM2-1.7B-Instruct-Q4_K_M.gguf",
     .n_bytes = 1'055'600'000,
     .n_kv_bytes = 768 * kMiB,
     .speaks_korean = false,
     .licence = "Apache-2.0",
     .about = {"small, English", "작다. 영어"}},
    {.name = "qwen3-1.7b",
     .repository = "Qwen/Qwen3-1.7B-GGUF",
     .file = "Qwen3-1.7B-Q8_0.gguf",
     .n_bytes = 1'834'426'016,
     .n_kv_bytes = 448 * kMiB,
     .speaks_korean = true,
     .licence = "Apache-2.0",
     .about = {"many languages, thinks before it answers", "여러 언어. 생각하고 답한다"}},
    {.name = "llama-3.2-korean-bllossom-3b",
     .repository = "Bllossom/llama-3.2-Korean-Bllossom-3B-gguf-Q4_K_M",
     .file = "llama-3.2-Korean-Bllossom-3B-gguf-Q4_K_M.gguf",
     .n_bytes = 2'019'400'000,
     .n_kv_bytes = 448 * kMiB,
     .speaks_korean = true,
     .licence = "Llama 3.2",
     .about = {"Llama 3.2 taught more Korean", "Llama 3.2에 한국어를 더 가르쳤다"}},
    {.name = "llama-3.2-3b-instruct",
     .repository = "bartowski/Llama-3.2-3B-Instruct-GGUF",
     .file = "Llama-3.2-3B-Instruct-Q4_K_M.gguf",
     .n_bytes = 2'019'400'000,
     .n_kv_bytes = 448 * kMiB,
     .speaks_korean = false,
     .licence = "Llama 3.2",
     .about = {"good for its size", "크기에 비해 좋다"}},
    {.name = "gemma-3-4b-it",
     .repository = "ggml-org/gemma-3-4b-it-GGUF",
     .file = "gemma-3-4b-it-Q4_K_M.gguf",
     .n_bytes = 2'490'000'000,
     .n_kv_bytes = 544 * kMiB,
     .speaks_korean = true,
     .licence = "Gemma",
     .about = {"many languages", "여러 언어"}},
    {.name = "qwen3-4b",
     .repository = "Qwen/Qwen3-4B-GGUF",
     .file = "Qwen3-4B-Q4_K_M.gguf",
     .n_bytes = 2'500'000'000,
     .n_kv_bytes = 576 * kMiB,
     .speaks_korean = true,
     .licence = "Apache-2.0",
     .about = {"many languages, thinks before it answers", "여러 언어. 생각하고 답한다"}},
    {.name = "llama-3.1-8b-instruct",
     .repository = "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF",
     .file = "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf",
     .n_bytes = 4'920'700'000,
     .n_kv_bytes = 512 * kMiB,
     .speaks_korean = false,
     .licence = "Llama 3.1",
     .about = {"good at most things, on a machine with room", "두루 잘한다. 넉넉한 기계에서"}},
};

}  // namespace

std::span<const CatalogueModel> model_catalogue() { return kModels; }

const CatalogueModel* find_in_catalogue(std::string_view name) {
  const auto* found = std::ranges::find(kModels, name, &CatalogueModel::name);
  return found == std::end(kModels) ? nullptr : found;
}

const CatalogueModel& best_for_memory(std::uint64_t n_bytes, bool korean) {
  const auto room = static_cast<std::uint64_t>(static_cast<double>(n_bytes) * kPartForModel);
  const CatalogueModel* best = nullptr;
  for (const CatalogueModel& model : kModels) {
    if (model.n_memory_bytes() > room || (korean && !model.speaks_korean)) continue;
    if (!model.is_commercial) continue;
    if (best == nullptr || model.n_memory_bytes() > best->n_memory_bytes()) best = &model;
  }
  return best == nullptr ? kModels[0] : *best;
}

}  // namespace jarip

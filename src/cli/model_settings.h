// How a command finds and loads its model: the settings that run, chat, serve and bench share, and
// the loading itself, with its progress shown. Used by the command's own thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/loaded_model.h"
#include "base/options.h"
#include "base/result.h"
#include "model/library.h"

namespace jarip {

inline constexpr std::uint32_t kMaxContext = 1U << 24U;

struct ModelSettings {
  unsigned threads = 0;  // 0: the cores available to the process
  ComputePath path = ComputePath::kOptimized;
  KvFormat kv_format = KvFormat::kF16;
  std::string cpu;             // instruction set; empty: the best that the machine has
  std::uint32_t ctx = 0;       // 0: the model's own, capped by the engine
  std::uint64_t memory = 0;    // bytes of all models; 0: a safe share of the machine's
  std::uint64_t kv_cache = 0;  // bytes; 0: enough for two full contexts
  std::uint32_t draft_tokens = kMaxDraftTokens;
  bool prefix_cache = true;
  std::uint32_t max_running = 64;   // sequences computed at once
  std::uint32_t max_waiting = 256;  // and waiting beyond that
};

void declare_threads(OptionSet& set, unsigned& threads);
// threads, path, kv-format, cpu
void declare_compute_settings(OptionSet& set, ModelSettings& settings);
// Those and the context's.
void declare_model_settings(OptionSet& set, ModelSettings& settings);

// Makes an error of loading say which option it is about.
void name_option(Error& error);

// Makes the kernels keep to settings.cpu. Before anything is loaded.
void choose_cpu(const ModelSettings& settings);

// The file of a model named as people name it, a library's name or a path.
[[nodiscard]] Result<std::filesystem::path> find_model(std::string_view name_or_path);

// What clients call the model in a file: its name without .gguf.
[[nodiscard]] std::string model_name_of(const std::filesystem::path& path);

// A file as the only model of a library; empty when it is gone.
[[nodiscard]] Result<std::vector<LibraryModel>> list_file(const std::filesystem::path& path);

[[nodiscard]] LoadedModelOptions loading_options(const ModelSettings& settings);
// Bytes that models may take together.
[[nodiscard]] std::uint64_t memory_for_models(const ModelSettings& settings);

// Errors: those of LoadedModel::load; kTooLarge.
[[nodiscard]] Result<std::unique_ptr<LoadedModel>> load_named_model(std::string_view name_or_path,
                                                                    const ModelSettings& settings);

}  // namespace jarip

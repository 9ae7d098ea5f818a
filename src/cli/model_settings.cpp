#include "cli/model_settings.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "app/loading.h"
#include "app/model_outline.h"
#include "base/machine_memory.h"
#include "base/thread_pool.h"
#include "cli/open_library.h"
#include "cli/progress.h"

namespace jarip {

void declare_threads(OptionSet& set, unsigned& threads) {
  set.add_number<unsigned>({.name = "threads",
                            .letter = 't',
                            .value_name = "N",
                            .help = {"Cores to compute on; 0 means those this process may use",
                                     "계산에 쓸 코어 수. 0이면 이 프로세스가 쓸 수 있는 만큼"}},
                           threads, {0, ThreadPool::kMaxThreads});
}

void declare_compute_settings(OptionSet& set, ModelSettings& settings) {
  declare_threads(set, settings.threads);
  set.add_choice<ComputePath>(
      {.name = "path",
       .value_name = "WORD",
       .help = {"How to compute: optimized for speed, or the slow reference it is checked against",
                "계산 방식: 빠른 optimized, 또는 그것을 검증하는 느린 reference"}},
      settings.path,
      {{"optimized", ComputePath::kOptimized}, {"reference", ComputePath::kReference}});
  std::vector<std::pair<std::string_view, KvFormat>> kv_formats;
  for (const KvFormatRow& row : kKvFormats) kv_formats.emplace_back(row.name, row.format);
  set.add_choice<KvFormat>(
      {.name = "kv-format",
       .value_name = "WORD",
       .help = {"How the optimized path keeps what it has read: f16, or q8_0 in about half the "
                "memory, a little less exactly",
                "optimized 방식이 읽은 글을 기억하는 형식: f16, 또는 메모리를 절반쯤 쓰고 조금 덜 "
                "정확한 q8_0"}},
      settings.kv_format, std::move(kv_formats));
  set.add_text(
      {.name = "cpu",
       .value_name = "WORD",
       .help = {"Keep to one instruction set: scalar; avx2, avxvnni or avx512 on x86; neon, "
                "neon-dotprod or neon-i8mm on ARM; without it, the best that the machine has",
                "명령어 집합을 하나로 정한다: scalar, x86의 avx2, avxvnni, avx512, ARM의 neon, "
                "neon-dotprod, neon-i8mm. 없으면 이 기계에서 가장 빠른 것"}},
      settings.cpu);
}

void declare_model_settings(OptionSet& set, ModelSettings& settings) {
  declare_compute_settings(set, settings);
  set.add_number<std::uint32_t>(
      {.name = "ctx",
       .letter = 'c',
       .value_name = "N",
       .help = {"Tokens that a prompt and its answer may have together; 0 means what the model was "
                "trained for",
                "질문과 답을 합쳐 허용할 토큰 수. 0이면 모델이 학습한 길이"}},
      settings.ctx, {0, kMaxContext});
  set.add_bytes(
      {.name = "memory",
       .value_name = "BYTES",
       .help = {"Memory that models may take, all together; 0 means four fifths of what the "
                "machine or its control group has",
                "모델들이 모두 합쳐 쓸 수 있는 메모리. 0이면 기계나 컨트롤 그룹이 가진 것의 5분의 "
                "4"}},
      settings.memory, {0, std::uint64_t{1} << 50U});
  set.add_bytes(
      {.name = "kv-cache",
       .value_name = "BYTES",
       .help = {"Memory for what the model keeps of the texts it is reading; 0 means "
                "enough for two full contexts",
                "모델이 읽고 있는 글을 기억하는 데 쓸 메모리. 0이면 전체 문맥 두 개 분량"}},
      settings.kv_cache, {0, std::uint64_t{1} << 44U});
  set.add_number<std::uint32_t>(
      {.name = "draft-tokens",
       .value_name = "N",
       .help =
           {"Tokens to guess at once, from what the text already says, where that is likely to "
            "be quicker; answers stay the same, and 0 is off",
            "이미 나온 글에서 다음 토큰을 미리 짚어 한꺼번에 확인할 개수. 빨라질 만할 때만 하고 "
            "답은 그대로다. 0이면 끈다"}},
      settings.draft_tokens, {0, kMaxDraftTokens});
  set.add_choice<bool>(
      {.name = "prefix-cache",
       .value_name = "WORD",
       .help =
           {"Whether to keep what was computed of a text for others that begin like it; "
            "answers stay the same",
            "한 번 계산한 글의 앞부분을 같은 말로 시작하는 다음 글에 다시 쓸지. 답은 그대로다"}},
      settings.prefix_cache, {{"on", true}, {"off", false}});
}

void choose_cpu(const ModelSettings& settings) {
  if (!settings.cpu.empty()) setenv("JARIP_CPU", settings.cpu.c_str(), 1);
}

Result<std::filesystem::path> find_model(std::string_view name_or_path) {
  JARIP_TRY(const ModelLibrary library, open_library());
  return library.resolve(name_or_path);
}

std::string model_name_of(const std::filesystem::path& path) {
  return path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
}

// Model and engine know their options by other names than the command line does.
void name_option(Error& error) {
  for (const auto& [field, option] :
       {std::pair<std::string_view, std::string_view>{"n_ctx", "--ctx"},
        {"kv_bytes", "--kv-cache"},
        {"kv_format", "--kv-format"}}) {
    if (error.where == field) error.message = fmt::format("{}: {}", option, error.message);
  }
}

std::uint64_t memory_for_models(const ModelSettings& settings) {
  return settings.memory == 0 ? safe_model_memory() : settings.memory;
}

LoadedModelOptions loading_options(const ModelSettings& settings) {
  LoadedModelOptions options;
  options.n_threads = settings.threads;
  options.path = settings.path;
  options.kv_format = settings.kv_format;
  options.engine.n_ctx = settings.ctx;
  options.engine.kv_bytes = settings.kv_cache;
  options.engine.max_draft_tokens = settings.draft_tokens;
  options.engine.prefix_cache = settings.prefix_cache;
  options.engine.max_sequences = settings.max_running;
  options.engine.max_queued = settings.max_waiting;
  return options;
}

Result<std::vector<LibraryModel>> list_file(const std::filesystem::path& path) {
  std::error_code error;
  const std::uint64_t n_bytes = std::filesystem::file_size(path, error);
  if (error) return std::vector<LibraryModel>();
  return std::vector{LibraryModel{.name = model_name_of(path),
                                  .path = path,
                                  .n_bytes = n_bytes,
                                  .modified = modified_at(path)}};
}

namespace {

// What doesn't fit is said before it is loaded; what can't be described says so when it is.
Result<void> check_fits(const std::filesystem::path& path, const std::string& name,
                        const LoadedModelOptions& options, std::uint64_t n_available_bytes) {
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  const auto outline = outline_model(file, options);
  if (!outline) return {};
  return check_memory(name, outline->memory, n_available_bytes);
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> load_named_model(std::string_view name_or_path,
                                                      const ModelSettings& settings) {
  JARIP_TRY(const std::filesystem::path path, find_model(name_or_path));
  choose_cpu(settings);
  const std::string name = model_name_of(path);
  LoadedModelOptions options = loading_options(settings);
  JARIP_CHECK(check_fits(path, name, options, memory_for_models(settings)));
  Progress progress("loading " + name);
  options.on_progress = [&](float fraction) { progress.update(fraction); };
  auto loaded = LoadedModel::load(path, name, options);
  if (!loaded) name_option(loaded.error());
  return loaded;
}

}  // namespace jarip

#include "cli/synth.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/thread_pool.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace jarip {

Result<void> run_synth(const SynthOptions& options) {
  if (options.tiny && options.shape != synth_shapes().data()) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--tiny is --shape {}: leave one of them out", synth_shapes().front().name),
        "tiny");
  }
  const std::string_view format = file_type_row(options.format).name;
  const std::filesystem::path path =
      options.output.empty()
          ? fmt::format("{}-{}.gguf", synth_name(*options.shape, *options.family), format)
          : options.output;
  if (!options.force && std::filesystem::exists(path)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("there is a file {} already; --force replaces it", path.native()),
                "output");
  }
  const unsigned n_threads = options.threads == 0 ? ThreadPool::available_cores() : options.threads;
  ThreadPool pool(std::min(n_threads, ThreadPool::kMaxThreads));
  JARIP_TRY(const std::uint64_t n_bytes, [&] {
    Progress progress(fmt::format("writing {}", path.native()));  // wiped before the answer
    return write_synthetic_model(
        {.shape = options.shape,
         .family = options.family,
         .format = options.format,
         .seed = options.seed,
         .path = path,
         .existing = options.force ? Existing::kReplace : Existing::kRefuse,
         .on_progress = [&](float fraction) { progress.update(fraction); }},
        pool);
  }());
  return print(fmt::format("{} ({})\n", path.native(), format_bytes(n_bytes)));
}

}  // namespace jarip

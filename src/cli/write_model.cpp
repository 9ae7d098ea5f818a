#include "cli/write_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/thread_pool.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

namespace jarip {

Result<void> check_target(const std::filesystem::path& path, bool force) {
  if (force || !std::filesystem::exists(path)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("there is a file {} already; --force replaces it", path.native()),
              "output");
}

Result<QuantizeReport> write_model(const WriteModelRequest& request) {
  const unsigned n_threads = request.threads == 0 ? ThreadPool::available_cores() : request.threads;
  ThreadPool pool(std::min(n_threads, ThreadPool::kMaxThreads));
  auto written = [&] {
    const Interrupt interrupt;
    Progress progress(fmt::format("writing {}", request.path.native()));  // wiped before the answer
    return quantize_model({.source = request.source,
                           .format = request.format,
                           .importance = request.importance,
                           .path = request.path,
                           .existing = request.force ? Existing::kReplace : Existing::kRefuse,
                           .on_progress =
                               [&](float fraction) {
                                 progress.update(fraction);
                                 return !interrupt.happened();
                               }},
                          pool);
  }();
  if (!written && written.error().code == ErrorCode::kCancelled) {
    fmt::print(stderr, "jarip: {}\n", written.error().message);
  }
  return written;
}

}  // namespace jarip

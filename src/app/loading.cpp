#include "app/loading.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>

#include "base/thread_pool.h"

namespace jarip {

std::int64_t modified_at(const std::filesystem::path& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 ? status.st_mtime : 0;
}

Result<unsigned> thread_count(unsigned wanted) {
  if (wanted > ThreadPool::kMaxThreads) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} threads are more than the {} that one model can use", wanted,
                            ThreadPool::kMaxThreads),
                "threads");
  }
  return wanted == 0 ? std::min(ThreadPool::available_cores(), ThreadPool::kMaxThreads) : wanted;
}

void report_progress(void* context, float fraction) {
  (*static_cast<const std::function<void(float)>*>(context))(fraction);
}

}  // namespace jarip

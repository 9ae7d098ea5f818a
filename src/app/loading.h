// What loading a model of any kind has in common. Free functions; the loading thread's.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace jarip {

// When the file was changed, in Unix seconds; 0 if that can't be told.
[[nodiscard]] std::int64_t modified_at(const std::filesystem::path& path);

// 0 means the cores that the process may use. Error: kInvalidArgument for too many.
[[nodiscard]] Result<unsigned> thread_count(unsigned wanted);

// For a loader's callback whose context is a std::function<void(float)>.
void report_progress(void* context, float fraction);

}  // namespace jarip

#include "cli/open_adapter.h"

#include <fmt/format.h>

#include "convert/hub_adapter.h"
#include "model/gguf.h"

namespace jarip {

Result<std::unique_ptr<Adapter>> open_adapter(const std::filesystem::path& path,
                                              const ModelConfig& base, ThreadPool& pool) {
  auto adapter = [&]() -> Result<std::unique_ptr<Adapter>> {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      JARIP_TRY(const GgufFile file, GgufFile::open(path));
      return Adapter::load(file, base, pool);
    }
    JARIP_TRY(const auto bytes, convert_adapter(path, base));
    JARIP_TRY(const GgufFile file, GgufFile::parse(bytes));
    return Adapter::load(file, base, pool);
  }();
  if (!adapter)
    adapter.error().message = fmt::format("{}: {}", path.native(), adapter.error().message);
  return adapter;
}

}  // namespace jarip

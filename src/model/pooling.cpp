#include "model/pooling.h"

#include <fmt/format.h>

#include <string>

namespace jarip {

Result<Pooling> read_pooling(const GgufFile& file) {
  JARIP_TRY(const std::string_view family, file.read_string("general.architecture"));
  const std::string key = fmt::format("{}.pooling_type", family);
  if (file.find_value(key) == nullptr) return Pooling::kNone;
  JARIP_TRY(const std::uint64_t type, file.read_uint(key));
  if (type > static_cast<std::uint64_t>(Pooling::kRank)) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} is {}; 0 (none), 1 (mean), 2 (first token), 3 (last token) and 4 "
                            "(rank) are known here",
                            key, type),
                key);
  }
  return static_cast<Pooling>(type);
}

}  // namespace jarip

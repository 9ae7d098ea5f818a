#include "model/number_keys.h"

#include <fmt/format.h>

namespace jarip {

Result<std::uint32_t> read_in_range(const GgufFile& file, const std::string& key,
                                    std::uint64_t least, std::uint64_t most) {
  JARIP_TRY(const std::uint64_t value, file.read_uint(key));
  if (value < least || value > most) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} is {}; it must be from {} to {}", key, value, least, most), key);
  }
  return static_cast<std::uint32_t>(value);
}

Result<std::uint32_t> read_or(const GgufFile& file, const std::string& key, std::uint32_t fallback,
                              std::uint64_t least, std::uint64_t most) {
  if (file.find_value(key) == nullptr) return fallback;
  return read_in_range(file, key, least, most);
}

Result<float> read_float_or(const GgufFile& file, const std::string& key, float fallback,
                            double least, double most) {
  if (file.find_value(key) == nullptr) return fallback;
  JARIP_TRY(const double value, file.read_float(key));
  if (!(value >= least && value <= most)) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} is {}; it must be from {} to {}", key, value, least, most), key);
  }
  return static_cast<float>(value);
}

Result<float> read_epsilon(const GgufFile& file, const std::string& key) {
  JARIP_TRY(const double eps, file.read_float(key));
  if (!(eps > 0 && eps < 1)) {
    return fail(ErrorCode::kCorrupt, fmt::format("{} is {}", key, eps), key);
  }
  return static_cast<float>(eps);
}

Result<std::uint32_t> read_vocabulary_size(const GgufFile& file, std::uint32_t n_cols) {
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->n_dims != 2 || embedding->shape[0] != n_cols ||
      embedding->shape[1] == 0 || embedding->shape[1] > (1U << 22U)) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("token_embd.weight is missing or isn't [{}, vocabulary]", n_cols),
                "token_embd.weight");
  }
  return static_cast<std::uint32_t>(embedding->shape[1]);
}

}  // namespace jarip

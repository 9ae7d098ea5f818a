// Any bytes as stored weights of any format: packing stays within them, and what is unpacked again
// is what the format's definition says. The first byte chooses the format.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/dequantize.h"
#include "tensor/packed_matrix.h"

namespace jarip {
namespace {

constexpr std::uint32_t kCols = 256;
constexpr std::uint32_t kMostRows = 40;

void check(Format format, std::span<const std::byte> bytes) {
  static ThreadPool pool(1);
  const std::size_t stored = row_bytes(format, kCols);
  const auto n_rows = static_cast<std::uint32_t>(bytes.size() / stored);
  if (n_rows == 0 || n_rows > kMostRows) return;
  const auto packed = PackedMatrix::pack(format, bytes.first(n_rows * stored), n_rows, kCols, pool);
  if (!packed) std::abort();
  std::vector<float> expected(kCols);
  std::vector<float> actual(kCols);
  for (std::uint32_t row = 0; row < n_rows; ++row) {
    dequantize_row(format, bytes.subspan(row * stored, stored), expected);
    packed->unpack_row(row, actual);
    for (std::uint32_t i = 0; i < kCols; ++i) {
      const bool same = expected[i] == actual[i];
      if (!same && !(std::isnan(expected[i]) && std::isnan(actual[i]))) std::abort();
    }
  }
}

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t n_bytes) {
  if (n_bytes == 0) return 0;
  const jarip::FormatRow& row = jarip::kFormats[bytes[0] % std::size(jarip::kFormats)];
  jarip::check(row.format, std::as_bytes(std::span(bytes + 1, n_bytes - 1)));
  return 0;
}

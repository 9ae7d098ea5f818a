#include "model/model_source.h"

#include <algorithm>

#include "tensor/dequantize.h"

namespace jarip {
namespace {

std::span<const std::byte> part_of(const GgufTensor& tensor, std::uint64_t first, std::uint64_t n) {
  return tensor.data.subspan(row_bytes(tensor.format, first), row_bytes(tensor.format, n));
}

}  // namespace

const GgufTensor* ModelSource::find_tensor(std::string_view name) const {
  const auto all = tensors();
  const auto found = std::ranges::find(all, name, &GgufTensor::name);
  return found == all.end() ? nullptr : &*found;
}

Result<std::span<const std::byte>> GgufSource::read(const GgufTensor& tensor, std::uint64_t first,
                                                    std::uint64_t n,
                                                    std::vector<std::byte>& /*scratch*/) const {
  return part_of(tensor, first, n);
}

void GgufSource::release(const GgufTensor& tensor, std::uint64_t first, std::uint64_t n) const {
  file_.release(part_of(tensor, first, n));
}

}  // namespace jarip

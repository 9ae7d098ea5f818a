// Any bytes as a safetensors file, whose tensors must lie in it, and as an index of shards.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto whole = std::as_bytes(std::span(bytes, size));
  if (const auto file = jarip::SafetensorsFile::parse(whole)) {
    std::size_t n_data = 0;
    for (const jarip::SafeTensor& tensor : file->tensors()) {
      const bool inside = tensor.data.data() >= whole.data() &&
                          tensor.data.data() + tensor.data.size() <= whole.data() + whole.size();
      if (!inside || tensor.data.size() < tensor.n_elements) std::abort();
      n_data += tensor.data.size();
    }
    if (n_data > whole.size()) std::abort();
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto shards = jarip::read_shard_index(text)) {
    for (const auto& [name, tensors] : *shards) {
      if (name.contains('/') || tensors.empty()) std::abort();
    }
  }
  return 0;
}

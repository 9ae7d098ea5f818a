// A model that is to be written into a file: its metadata, its tensors, and their weights a stretch
// at a time, wherever those come from. Immutable; readable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gguf.h"

namespace jarip {

class ModelSource {
 public:
  virtual ~ModelSource() = default;

  // Whose values are the model's; whose tensors aren't looked at.
  [[nodiscard]] virtual const GgufFile& metadata() const = 0;
  // Their data may be empty and their offsets anything: read() knows where the weights are.
  [[nodiscard]] virtual std::span<const GgufTensor> tensors() const = 0;
  // Weights [first, first + n) of a tensor of tensors(), in its format; first and n are multiples
  // of its blocks. What is returned lies in the source or in scratch.
  [[nodiscard]] virtual Result<std::span<const std::byte>> read(
      const GgufTensor& tensor, std::uint64_t first, std::uint64_t n,
      std::vector<std::byte>& scratch) const = 0;
  // Those weights won't be asked for again.
  virtual void release(const GgufTensor& tensor, std::uint64_t first, std::uint64_t n) const = 0;

  // Null if there is none of that name.
  [[nodiscard]] const GgufTensor* find_tensor(std::string_view name) const;
};

// A GGUF file, which must outlive it.
class GgufSource final : public ModelSource {
 public:
  explicit GgufSource(const GgufFile& file) : file_(file) {}

  [[nodiscard]] const GgufFile& metadata() const override { return file_; }
  [[nodiscard]] std::span<const GgufTensor> tensors() const override { return file_.tensors(); }
  [[nodiscard]] Result<std::span<const std::byte>> read(
      const GgufTensor& tensor, std::uint64_t first, std::uint64_t n,
      std::vector<std::byte>& scratch) const override;
  void release(const GgufTensor& tensor, std::uint64_t first, std::uint64_t n) const override;

 private:
  const GgufFile& file_;
};

}  // namespace jarip

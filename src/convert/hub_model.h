// A Hugging Face model as the GGUF file it becomes: read whole in its settings, and in its weights
// as they are asked for. Immutable after open(); readable from any thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "convert/weight_view.h"
#include "model/model_source.h"
#include "model/pooling.h"
#include "model/safetensors.h"

namespace jarip {

class HubModel final : public ModelSource {
 public:
  // path: a folder, or a .safetensors file beside its config.json. pooling: what the folder doesn't
  // say of a model that embeds. Errors: kNotFound, kIo, kCorrupt, kTooLarge, kUnsupported (a
  // family, tensor, setting or tokenizer that can't run here as it was meant, by name).
  [[nodiscard]] static Result<std::unique_ptr<HubModel>> open(const std::filesystem::path& path,
                                                              std::optional<Pooling> pooling);

  [[nodiscard]] std::uint64_t n_bytes() const { return weights_.n_bytes(); }

  [[nodiscard]] const GgufFile& metadata() const override { return metadata_; }
  [[nodiscard]] std::span<const GgufTensor> tensors() const override { return tensors_; }
  [[nodiscard]] Result<std::span<const std::byte>> read(
      const GgufTensor& tensor, std::uint64_t first, std::uint64_t n,
      std::vector<std::byte>& scratch) const override;
  void release(const GgufTensor& tensor, std::uint64_t first, std::uint64_t n) const override;

 private:
  explicit HubModel(SafetensorsModel weights) : weights_(std::move(weights)) {}
  Result<void> list_tensors();

  SafetensorsModel weights_;
  std::vector<std::byte> head_;  // which metadata_ lies in
  GgufFile metadata_;
  std::vector<WeightView> views_;
  std::vector<GgufTensor> tensors_;  // [views_]
};

}  // namespace jarip

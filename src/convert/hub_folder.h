// A folder as Hugging Face's hub holds a model in, or one .safetensors file of it: which files
// there are, opened as they are asked for. Owned by one thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "convert/json_fields.h"
#include "model/pooling.h"
#include "model/safetensors.h"

namespace jarip {

class HubFolder {
 public:
  // Errors: kNotFound (no such path, no config.json beside the file), kUnsupported (weights in
  // pickles, and what to do).
  [[nodiscard]] static Result<HubFolder> open(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }
  [[nodiscard]] std::string name() const;  // of the model, for people
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] Result<JsonFile> read_json(std::string_view name) const;
  [[nodiscard]] Result<std::optional<JsonFile>> read_json_if(std::string_view name) const;
  [[nodiscard]] Result<std::optional<std::string>> read_text_if(std::string_view name) const;
  [[nodiscard]] Result<SafetensorsModel> open_weights() const;
  // What modules.json and its pooling's config.json say; kNone where there are none. Errors:
  // kUnsupported (other modules, another way of pooling).
  [[nodiscard]] Result<Pooling> read_pooling() const;

 private:
  std::filesystem::path folder_;
  std::optional<std::filesystem::path> single_;  // the one file of weights
};

}  // namespace jarip

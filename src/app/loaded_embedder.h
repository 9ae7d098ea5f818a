// A model ready to embed texts or to rank them: tokenizer, weights, threads and embedder, together
// because they live and die together. Owned by the command that loaded it; all but loading may be
// called from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/embedder.h"
#include "model/embedding_model.h"
#include "model/tokenizer.h"

namespace jarip {

struct LoadedEmbedderOptions {
  unsigned n_threads = 0;   // 0: the cores available to the process
  std::uint32_t n_ctx = 0;  // tokens of one text; 0: the model's own, of decoders at most 8192
  EmbedderOptions embedder;
  std::function<void(float)> on_progress;  // fraction of loading done, 0 to 1; may be empty
};

class LoadedEmbedder {
 public:
  // name: what clients call it. Errors: those of GgufFile, Tokenizer and load_embedding_model.
  [[nodiscard]] static Result<std::unique_ptr<LoadedEmbedder>> load(
      const std::filesystem::path& path, std::string name, const LoadedEmbedderOptions& options);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::int64_t created() const { return created_; }  // the file's time, Unix seconds
  [[nodiscard]] const Tokenizer& tokenizer() const { return *tokenizer_; }
  [[nodiscard]] const EmbeddingFacts& facts() const { return model_->facts(); }
  [[nodiscard]] Embedder& embedder() { return *embedder_; }
  [[nodiscard]] bool ranks() const { return facts().pooling == Pooling::kRank; }

  // A text with the tokens that the model reads around it.
  [[nodiscard]] EmbedText text(std::string_view text) const;
  // A query and a document as the model ranks them.
  [[nodiscard]] EmbedText pair(std::string_view query, std::string_view document) const;

  // Whether vectors may be cut to their first n numbers: only models trained for that keep their
  // meaning. Error: kUnsupported, with what is possible.
  [[nodiscard]] Result<void> check_dimensions(std::uint32_t n) const;

 private:
  LoadedEmbedder() = default;
  Result<void> read_rank_template(const GgufFile& file);

  std::string name_;
  std::int64_t created_ = 0;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<std::string> rank_template_;  // of decoders, with {query} and {document}
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<EmbeddingModel> model_;
  std::unique_ptr<Embedder> embedder_;
};

// To length 1, so that the product of two is their cosine. A vector of zeros stays.
void set_unit_length(std::span<float> vector);

// A rank's score as a probability.
[[nodiscard]] float probability_of(float score);

}  // namespace jarip

// A model that embeds or ranks as an Answerer: it refuses to write. May be called from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/answerer.h"
#include "app/loaded_embedder.h"

namespace jarip {

class EmbeddingAnswerer final : public Answerer {
 public:
  explicit EmbeddingAnswerer(std::unique_ptr<LoadedEmbedder> model);

  [[nodiscard]] const ModelCard& card() const override { return card_; }
  [[nodiscard]] LoadedEmbedder* embedder() const override { return model_.get(); }
  [[nodiscard]] EngineStats stats() const override { return model_->embedder().stats(); }

  // Errors: kUnsupported, with what the model does instead.
  [[nodiscard]] Result<StartedTurn> start(Turn turn, std::vector<TurnSink> sinks) override;
  void cancel(TurnId /*id*/) override {}
  [[nodiscard]] Result<std::vector<TokenId>> read_prompt(const Turn& turn) const override;
  [[nodiscard]] Result<std::string> render(const Turn& turn) const override;

  [[nodiscard]] std::vector<TokenId> tokenize(std::string_view text,
                                              const TokenizeOptions& options) const override;
  [[nodiscard]] std::string token_bytes(TokenId id) const override;

 private:
  std::unique_ptr<LoadedEmbedder> model_;
  ModelCard card_;
};

}  // namespace jarip

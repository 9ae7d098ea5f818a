// A model that embeds or ranks as an Answerer: it refuses to write. Owned by the command that
// serves; the model outlives it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/answerer.h"
#include "app/loaded_embedder.h"

namespace jarip {

class EmbeddingAnswerer final : public Answerer {
 public:
  explicit EmbeddingAnswerer(LoadedEmbedder& model);

  [[nodiscard]] const ModelCard& card() const override { return card_; }
  [[nodiscard]] LoadedEmbedder* embedder() const override { return &model_; }
  [[nodiscard]] EngineStats stats() const override { return model_.embedder().stats(); }

  // Errors: kUnsupported, with what the model does instead.
  [[nodiscard]] Result<StartedTurn> start(Turn turn, std::vector<TurnSink> sinks) override;
  void cancel(TurnId /*id*/) override {}
  [[nodiscard]] Result<std::vector<TokenId>> read_prompt(const Turn& turn) const override;
  [[nodiscard]] Result<std::string> render(const Turn& turn) const override;

  [[nodiscard]] std::vector<TokenId> tokenize(std::string_view text,
                                              const TokenizeOptions& options) const override;
  [[nodiscard]] std::string token_bytes(TokenId id) const override;

 private:
  [[nodiscard]] Result<void> refuse(const Turn& turn) const;

  LoadedEmbedder& model_;
  ModelCard card_;
};

}  // namespace jarip

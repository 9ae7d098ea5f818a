// A model that writes text as an Answerer: the model and the pipeline over it, which live and die
// together. May be called from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/answerer.h"
#include "app/pipeline.h"

namespace jarip {

class PipelineAnswerer final : public Answerer {
 public:
  explicit PipelineAnswerer(std::unique_ptr<LoadedModel> model);

  [[nodiscard]] const ModelCard& card() const override { return card_; }
  [[nodiscard]] Result<StartedTurn> start(Turn turn, std::vector<TurnSink> sinks) override {
    return pipeline_.start(std::move(turn), std::move(sinks));
  }
  void cancel(TurnId id) override { pipeline_.cancel(id); }
  [[nodiscard]] EngineStats stats() const override { return model_->engine().stats(); }
  [[nodiscard]] Result<std::vector<TokenId>> read_prompt(const Turn& turn) const override {
    return pipeline_.read_prompt(turn);
  }
  [[nodiscard]] Result<std::string> render(const Turn& turn) const override {
    return pipeline_.render(turn);
  }
  [[nodiscard]] std::vector<TokenId> tokenize(std::string_view text,
                                              const TokenizeOptions& options) const override;
  [[nodiscard]] std::string token_bytes(TokenId id) const override;

 private:
  std::unique_ptr<LoadedModel> model_;
  Pipeline pipeline_;
  ModelCard card_;
};

}  // namespace jarip

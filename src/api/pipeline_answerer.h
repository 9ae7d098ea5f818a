// A pipeline as an Answerer. Owned by the command that serves; the pipeline and its model outlive
// it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/answerer.h"
#include "app/pipeline.h"

namespace jarip {

class PipelineAnswerer final : public Answerer {
 public:
  // model: the one that the pipeline answers with.
  PipelineAnswerer(Pipeline& pipeline, LoadedModel& model);

  [[nodiscard]] const ModelCard& card() const override { return card_; }
  [[nodiscard]] Result<StartedTurn> start(Turn turn, std::vector<TurnSink> sinks) override {
    return pipeline_.start(std::move(turn), std::move(sinks));
  }
  void cancel(TurnId id) override { pipeline_.cancel(id); }
  [[nodiscard]] EngineStats stats() const override { return model_.engine().stats(); }
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
  Pipeline& pipeline_;
  LoadedModel& model_;
  ModelCard card_;
};

}  // namespace jarip

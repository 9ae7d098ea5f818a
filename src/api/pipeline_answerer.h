// A pipeline as an Answerer. Owned by the command that serves; the pipeline and its model outlive
// it.
#pragma once

#include "api/answerer.h"
#include "app/pipeline.h"

namespace jarip {

class PipelineAnswerer final : public Answerer {
 public:
  // model: the one that the pipeline answers with.
  PipelineAnswerer(Pipeline& pipeline, LoadedModel& model);

  [[nodiscard]] const ModelCard& card() const override { return card_; }
  [[nodiscard]] Result<TurnId> start(Turn turn, TurnSink sink) override {
    return pipeline_.start(std::move(turn), std::move(sink));
  }
  void cancel(TurnId id) override { pipeline_.cancel(id); }
  [[nodiscard]] EngineStats stats() const override { return model_.engine().stats(); }

 private:
  Pipeline& pipeline_;
  LoadedModel& model_;
  ModelCard card_;
};

}  // namespace jarip

// The stages that a Turn passes on its way to an answer. start() and cancel() may be called from
// any thread. Owns nothing but what is in flight; the model outlives it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/loaded_model.h"
#include "app/seed.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

class Pipeline {
 public:
  explicit Pipeline(LoadedModel& model, DrawSeed draw_seed = draw_random_seed);
  ~Pipeline();

  // Renders, tokenizes and submits; blocks for neither computation nor input. Errors are final and
  // the sink is then never called: kNotFound (the model's name), kInvalidArgument,
  // kContextOverflow, kUnsupported, kUnavailable.
  [[nodiscard]] Result<TurnId> start(Turn turn, TurnSink sink);
  void cancel(TurnId id);

  [[nodiscard]] const LoadedModel& model() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace jarip

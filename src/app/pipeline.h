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
  // As many answers to one prompt as there are sinks, each with its own seed (seed_of_choice). All
  // are started or none is: what the sinks hear after an error means nothing.
  [[nodiscard]] Result<StartedTurn> start(Turn turn, std::vector<TurnSink> sinks);
  void cancel(TurnId id);

  // What the model would read of this turn.
  [[nodiscard]] Result<std::vector<TokenId>> read_prompt(const Turn& turn) const;
  // Its messages as the model's template writes them.
  [[nodiscard]] Result<std::string> render(const Turn& turn) const;

  [[nodiscard]] const LoadedModel& model() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace jarip

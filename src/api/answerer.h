// What the wire dialects need of whatever answers: a pipeline over a loaded model, or a script in
// tests. start(), cancel() and stats() may be called from any thread.
#pragma once

#include <cstdint>
#include <string>

#include "app/turn.h"
#include "base/result.h"

namespace jarip {

struct ModelCard {
  std::string name;
  std::int64_t created = 0;  // Unix seconds
  std::uint32_t n_vocab = 0;
  std::uint32_t n_ctx = 0;
  std::string fingerprint;  // changes when the same request might be answered differently
};

class Answerer {
 public:
  virtual ~Answerer() = default;
  [[nodiscard]] virtual const ModelCard& card() const = 0;
  // As Pipeline::start.
  [[nodiscard]] virtual Result<TurnId> start(Turn turn, TurnSink sink) = 0;
  virtual void cancel(TurnId id) = 0;
  [[nodiscard]] virtual EngineStats stats() const = 0;
};

}  // namespace jarip

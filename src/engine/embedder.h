// The engine of models that embed texts or rank them: token ids in, vectors or scores out.
// submit(), cancel() and stats() may be called from any thread; one thread of its own computes
// texts of all requests together, those of the user first who has had the least.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "model/embedding_model.h"

namespace jarip {

struct EmbedText {
  std::vector<TokenId> tokens;  // not empty; every id < n_vocab
  std::uint32_t second = 0;     // where the second of two texts begins; 0: there is only one
};

struct EmbedRequest {
  std::vector<EmbedText> texts = {};  // not empty
  // Neither changes a result. As in GenerateRequest.
  std::string user = {};
  float user_weight = 1.0F;
};

struct EmbedResult {
  std::vector<float> rows = {};  // [texts, n_outputs], as EmbeddingModel::embed() writes them
  std::uint32_t n_tokens = 0;    // of all texts
  double queue_ms = 0;           // submit to first computed
  double compute_ms = 0;         // first computed to end
};

// Called once, on the embedder's thread. Errors: kCancelled, kUnavailable (stopping; memory). Must
// return quickly and not throw.
using EmbedSink = std::move_only_function<void(Result<EmbedResult>)>;
using EmbedId = std::uint64_t;

struct EmbedderOptions {
  std::uint32_t max_queued = 256;  // requests; further ones are refused
  // Texts of all of them, of which each holds its vector until its request ends; a single request
  // may have more.
  std::uint32_t max_queued_texts = 16384;
  // Tokens of one step; a longer text is a step of its own.
  std::uint32_t max_step_tokens = 256;
};

class Embedder {
 public:
  // The model outlives the embedder and is used by its thread alone.
  Embedder(EmbeddingModel& model, const EmbedderOptions& options);
  ~Embedder();  // ends what waits with an error, joins
  Embedder(const Embedder&) = delete;
  Embedder& operator=(const Embedder&) = delete;

  // Errors: kInvalidArgument (no text, a token past the vocabulary), kContextOverflow (with both
  // numbers), kUnavailable (stopping, queue full). On error the sink is never called.
  [[nodiscard]] Result<EmbedId> submit(EmbedRequest request, EmbedSink sink);

  // Texts that aren't being computed are dropped. Unknown and finished ids are ignored.
  void cancel(EmbedId id);

  // What there is of EngineStats without pages and answers; steps are counted by their texts.
  [[nodiscard]] EngineStats stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace jarip

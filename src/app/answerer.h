// What the wire dialects need of whatever answers: a loaded model, or a script in tests. Owned by
// the pool of models; may be called from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/turn.h"
#include "base/result.h"

namespace jarip {

class LoadedEmbedder;

// What a model is made for.
enum class ModelTask : std::uint8_t { kWrite, kEmbed, kRank };

// Known before the model is loaded.
struct ModelCard {
  std::string name;
  std::int64_t created = 0;  // Unix seconds
  std::uint32_t n_vocab = 0;
  std::uint32_t n_ctx = 0;
  std::string fingerprint;  // changes when the same request might be answered differently
  ModelTask task = ModelTask::kWrite;
};

// What of a model decides about an answer's bytes, as a word. arithmetic: as LoadedModel's.
[[nodiscard]] std::string fingerprint_of(const ModelCard& card, std::string_view arithmetic);

// The refusal of a request for text by a model that is made for something else: kUnsupported.
[[nodiscard]] Error cant_write(const ModelCard& card);

class Answerer {
 public:
  virtual ~Answerer() = default;
  [[nodiscard]] virtual const ModelCard& card() const = 0;
  // As Pipeline::start: an answer for each sink.
  [[nodiscard]] virtual Result<StartedTurn> start(Turn turn, std::vector<TurnSink> sinks) = 0;
  virtual void cancel(TurnId id) = 0;
  [[nodiscard]] virtual EngineStats stats() const = 0;
  // Null: the model writes text.
  [[nodiscard]] virtual LoadedEmbedder* embedder() const { return nullptr; }

  // What the model would read of this turn; of messages as text too.
  [[nodiscard]] virtual Result<std::vector<TokenId>> read_prompt(const Turn& turn) const = 0;
  [[nodiscard]] virtual Result<std::string> render(const Turn& turn) const = 0;

  struct TokenizeOptions {
    bool parse_special = false;  // control tokens written out become those tokens
    bool add_special = false;    // BOS first, where the model asks for it
  };
  [[nodiscard]] virtual std::vector<TokenId> tokenize(std::string_view text,
                                                      const TokenizeOptions& options) const = 0;
  // Bytes that need not be whole characters; of a control token its name.
  [[nodiscard]] virtual std::string token_bytes(TokenId id) const = 0;
};

}  // namespace jarip

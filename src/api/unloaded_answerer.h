// A model of which nothing but its card is there: it refuses what its task isn't, as it would if it
// were loaded. Lives while one request is read; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/answerer.h"

namespace jarip {

class UnloadedAnswerer final : public Answerer {
 public:
  explicit UnloadedAnswerer(ModelCard card) : card_(std::move(card)) {}

  [[nodiscard]] const ModelCard& card() const override { return card_; }
  [[nodiscard]] EngineStats stats() const override { return {}; }
  void cancel(TurnId /*id*/) override {}
  [[nodiscard]] Result<StartedTurn> start(Turn /*turn*/, std::vector<TurnSink> /*s*/) override {
    return std::unexpected(cant_write(card_));
  }
  [[nodiscard]] Result<std::vector<TokenId>> read_prompt(const Turn& /*turn*/) const override {
    return std::unexpected(cant_write(card_));
  }
  [[nodiscard]] Result<std::string> render(const Turn& /*turn*/) const override {
    return std::unexpected(cant_write(card_));
  }
  [[nodiscard]] std::vector<TokenId> tokenize(std::string_view /*text*/,
                                              const TokenizeOptions& /*o*/) const override {
    return {};
  }
  [[nodiscard]] std::string token_bytes(TokenId /*id*/) const override { return {}; }

 private:
  ModelCard card_;
};

}  // namespace jarip

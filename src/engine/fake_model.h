// For tests: a tiny model whose logits depend on every token of a sequence's history, which it
// keeps in the KV pages and nowhere else. It checks each page it reads, so that a page that two
// sequences write, lost or in the wrong place is found. A recurrent one keeps a state too, which it
// checks in the same way. step() runs on the engine's thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "model/model.h"

namespace jarip {

class FakeModel : public Model {
 public:
  FakeModel(std::uint32_t n_vocab, std::uint32_t n_ctx, bool recurrent = false)
      : recurrent_(recurrent) {
    config_.family = "fake";
    config_.n_vocab = n_vocab;
    config_.n_ctx_train = n_ctx;
  }

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] std::size_t kv_page_bytes() const override { return kKvPageTokens * sizeof(Cell); }
  [[nodiscard]] std::size_t state_bytes() const override { return recurrent_ ? 64 : 0; }
  [[nodiscard]] std::size_t memory_bytes() const override { return sizeof(*this); }

  void step(std::span<const SequenceChunk> chunks, const KvMemory& kv,
            std::span<float> logits) override {
    if (on_step) on_step(chunks);
    check_pages(chunks, kv);
    if (recurrent_) check_states(chunks);
    std::size_t row = 0;
    for (const SequenceChunk& chunk : chunks) {
      n_fed += chunk.tokens.size();
      std::uint64_t history = read_history(chunk, kv);
      if (recurrent_ && chunk.position > 0) {
        const State& kept = state(chunk.state, kv);
        check(kept.history == history && kept.position == chunk.position);
        history = kept.history;
      }
      check(chunk.n_logits <= chunk.tokens.size());
      for (std::uint32_t i = 0; i < chunk.tokens.size(); ++i) {
        const std::uint32_t position = chunk.position + i;
        history = mix(history, chunk.tokens[i]);
        cell(chunk, kv, position) = {history, position, chunk.tokens[i]};
        if (recurrent_) keep_states(chunk, i + 1, {history, position + 1}, kv);
        if (i + chunk.n_logits < chunk.tokens.size()) continue;
        const auto row_logits = logits.subspan(row++ * config_.n_vocab, config_.n_vocab);
        write_logits(history, row_logits);
        if (period > 0 && position + 1 >= period) {
          row_logits[cell(chunk, kv, position + 1 - period).token] += kLikelier;
        }
        if (chunk.tokens[i] == poison) row_logits[0] = std::numeric_limits<float>::quiet_NaN();
      }
    }
    check(logits.size() == row * config_.n_vocab);
  }

  std::function<void(std::span<const SequenceChunk>)> on_step;  // set before the first step
  std::optional<TokenId> poison;  // after this token, logits are not finite
  std::uint32_t period = 0;  // a text repeats itself: the token this far back is likelier; 0: no
  std::atomic<std::uint64_t> n_faults{0};  // broken promises of the caller
  std::atomic<std::uint64_t> n_fed{0};     // tokens

 private:
  static constexpr float kLikelier = 7.0F;  // at temperature 1 it mostly wins, not always

  struct Cell {
    std::uint64_t history;  // hash of all tokens to here
    std::uint32_t position;
    TokenId token;
  };

  struct State {
    std::uint64_t history;
    std::uint32_t position;
  };

  void check(bool held) {
    if (!held) ++n_faults;
  }

  static State& state(StateId id, const KvMemory& kv) {
    return *reinterpret_cast<State*>(kv.states + id * kv.state_bytes);
  }

  static void keep_states(const SequenceChunk& chunk, std::uint32_t n_tokens, const State& now,
                          const KvMemory& kv) {
    if (n_tokens == chunk.tokens.size()) state(chunk.state, kv) = now;
    for (const StateCopy& copy : chunk.copies) {
      if (copy.n_tokens == n_tokens) state(copy.to, kv) = now;
    }
  }

  // What one sequence writes, no other has.
  void check_states(std::span<const SequenceChunk> chunks) {
    std::vector<StateId> written;
    for (const SequenceChunk& chunk : chunks) {
      written.push_back(chunk.state);
      std::uint32_t last = 0;
      for (const StateCopy& copy : chunk.copies) {
        written.push_back(copy.to);
        check(copy.n_tokens > last && copy.n_tokens <= chunk.tokens.size());
        last = copy.n_tokens;
      }
    }
    std::ranges::sort(written);
    check(std::ranges::adjacent_find(written) == written.end());
  }

  // What one sequence writes, no other has.
  void check_pages(std::span<const SequenceChunk> chunks, const KvMemory& kv) {
    n_holders_.assign(kv.n_pages, 0);
    for (const SequenceChunk& chunk : chunks) {
      check(!chunk.tokens.empty());
      check(chunk.pages.size() * kKvPageTokens >= chunk.position + chunk.tokens.size());
      for (const PageId page : chunk.pages) {
        check(page < kv.n_pages);
        if (page < kv.n_pages) ++n_holders_[page];
      }
    }
    for (const SequenceChunk& chunk : chunks) {
      for (std::size_t i = chunk.position / kKvPageTokens; i < chunk.pages.size(); ++i) {
        check(n_holders_[chunk.pages[i]] == 1);
      }
    }
  }

  static std::uint64_t mix(std::uint64_t history, std::uint64_t value) {
    std::uint64_t x = (history ^ (value + 0x9e3779b97f4a7c15U)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31U);
  }

  static Cell& cell(const SequenceChunk& chunk, const KvMemory& kv, std::uint32_t position) {
    std::byte* const page = kv.base + chunk.pages[position / kKvPageTokens] * kv.page_bytes;
    return reinterpret_cast<Cell*>(page)[position % kKvPageTokens];
  }

  std::uint64_t read_history(const SequenceChunk& chunk, const KvMemory& kv) {
    std::uint64_t history = 0;
    for (std::uint32_t position = 0; position < chunk.position; ++position) {
      const Cell& stored = cell(chunk, kv, position);
      history = mix(history, stored.token);
      check(stored.position == position && stored.history == history);
    }
    return history;
  }

  static void write_logits(std::uint64_t history, std::span<float> logits) {
    for (std::size_t token = 0; token < logits.size(); ++token) {
      logits[token] = static_cast<float>(mix(history, token) >> 40U) * 0x1p-21F - 4.0F;
    }
  }

  bool recurrent_;
  ModelConfig config_;
  std::vector<std::uint32_t> n_holders_;  // of each page, in this step
};

}  // namespace jarip

// What tests of whole models share: a loaded model with pages, and how two runs' logits compare.
// Header only, for tests; owned by the test that uses it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "model/gguf.h"
#include "model/model.h"

namespace jarip {

inline std::vector<TokenId> random_tokens(std::size_t n, std::uint32_t n_vocab,
                                          std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<TokenId> out(n);
  for (TokenId& token : out) token = generator() % n_vocab;
  return out;
}

// A loaded model with pages for some sequences, and page tables that are out of order on purpose.
class Runner {
 public:
  Runner(const GgufFile& file, unsigned n_threads, const LoadOptions& options = {},
         std::uint32_t n_sequences = 1, std::uint32_t n_ctx = 640)
      : pool_(n_threads), pages_each_((n_ctx + 31) / 32), n_sequences_(n_sequences) {
    auto model = load_model(file, pool_, options);
    EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message);
    model_ = std::move(*model);
    memory_ = *AlignedBuffer::allocate(model_->kv_page_bytes() * pages_each_ * n_sequences);
    states_ = *AlignedBuffer::allocate(model_->state_bytes() * n_sequences);
    for (std::uint32_t s = 0; s < n_sequences; ++s) {
      for (std::uint32_t i = 0; i < pages_each_; ++i) {
        tables_.push_back((pages_each_ - 1 - i) * n_sequences + s);
      }
    }
  }

  [[nodiscard]] std::uint32_t n_vocab() const { return model_->config().n_vocab; }

  [[nodiscard]] SequenceChunk chunk(std::span<const TokenId> tokens, std::uint32_t position,
                                    std::uint32_t n_logits, std::uint32_t sequence = 0) const {
    return {tokens.subspan(position), position,
            std::span(tables_).subspan(std::size_t{sequence} * pages_each_, pages_each_), n_logits,
            sequence};
  }

  void step(std::span<const SequenceChunk> chunks, std::span<float> logits) {
    model_->step(chunks,
                 {memory_.data(), model_->kv_page_bytes(), pages_each_ * n_sequences_,
                  states_.data(), model_->state_bytes()},
                 logits);
  }

  // Logits after every token, fed in chunks of at most `chunk_size`.
  std::vector<float> run(std::span<const TokenId> tokens, std::size_t chunk_size) {
    std::vector<float> logits(tokens.size() * n_vocab());
    for (std::size_t at = 0; at < tokens.size(); at += chunk_size) {
      const std::size_t n = std::min(chunk_size, tokens.size() - at);
      const SequenceChunk one = chunk(tokens.first(at + n), static_cast<std::uint32_t>(at),
                                      static_cast<std::uint32_t>(n));
      step({&one, 1}, std::span(logits).subspan(at * n_vocab(), n * n_vocab()));
    }
    return logits;
  }

 private:
  ThreadPool pool_;
  std::uint32_t pages_each_;
  std::uint32_t n_sequences_;
  std::unique_ptr<Model> model_;
  AlignedBuffer memory_;
  AlignedBuffer states_;
  std::vector<PageId> tables_;
};

inline bool same_bytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

inline double mean_kl(const std::vector<float>& truth, const std::vector<float>& other,
                      std::size_t n_vocab) {
  double sum = 0;
  for (std::size_t row = 0; row < truth.size(); row += n_vocab) {
    const auto log_sum = [&](const std::vector<float>& x) {
      double total = 0;
      const double largest = *std::max_element(x.begin() + row, x.begin() + row + n_vocab);
      for (std::size_t i = 0; i < n_vocab; ++i) total += std::exp(x[row + i] - largest);
      return largest + std::log(total);
    };
    const double a = log_sum(truth);
    const double b = log_sum(other);
    for (std::size_t i = 0; i < n_vocab; ++i) {
      sum += std::exp(truth[row + i] - a) * ((truth[row + i] - a) - (other[row + i] - b));
    }
  }
  return sum / static_cast<double>(truth.size() / n_vocab);
}

}  // namespace jarip

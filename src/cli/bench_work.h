// What `jarip bench` has a model do: read or write tokens of made-up sequences, after a context of
// a given length. Used by the command's own thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "model/model.h"

namespace jarip {

enum class BenchKind : std::uint8_t {
  kPrefill,  // tokens all at once, logits after the last
  kDecode,   // tokens one after another, logits after each
};

struct BenchItem {
  BenchKind kind = BenchKind::kPrefill;
  std::uint32_t n_tokens = 0;  // of each sequence
  std::uint32_t batch = 1;     // sequences at once
  std::uint32_t depth = 0;     // tokens of context that are there before
};

struct BenchLimits {
  static constexpr std::uint32_t kMaxTokens = 1U << 20U;
  static constexpr std::uint32_t kMaxBatch = 256;
};

// "prefill 512 batch 4 depth 1024"; batch and depth may be left out. Error: kInvalidArgument.
[[nodiscard]] Result<BenchItem> parse_bench_item(std::string_view line);

// Sequences of made-up tokens and the memory that they are read into. What the tokens are doesn't
// change how long they take, and each position always has the same one: what was read of a context
// stays good for the next item.
class BenchWork {
 public:
  explicit BenchWork(Model& model) : model_(model) {}

  // Has the item's context in memory, be it longer than what the model was trained for: that takes
  // no other time. Error: kUnavailable (no memory).
  [[nodiscard]] Result<void> prepare(const BenchItem& item);
  // Does what is to be measured; prepare() came before.
  void run(const BenchItem& item);

 private:
  [[nodiscard]] Result<void> make_room(std::uint32_t n_tokens, std::uint32_t batch);
  void read(std::uint32_t begin, std::uint32_t end, std::uint32_t n_logits);
  void feed(std::uint32_t begin, std::uint32_t end, std::uint32_t n_logits);

  Model& model_;
  std::uint32_t batch_ = 0;
  std::uint32_t n_room_ = 0;  // tokens that each sequence has memory for
  std::uint32_t n_read_ = 0;  // tokens that stand in memory, of each sequence
  std::vector<float> logits_;
  std::vector<TokenId> tokens_;
  std::vector<PageId> pages_;
  std::vector<SequenceChunk> chunks_;
  AlignedBuffer memory_;
  AlignedBuffer states_;
  KvMemory kv_;
};

}  // namespace jarip

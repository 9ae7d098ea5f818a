// Text that a model only reads, to be measured: cut into chunks, each read from an empty context.
// For imatrix and eval; used by the command's own thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "model/model.h"
#include "model/tokenizer.h"

namespace jarip {

using TextChunk = std::vector<TokenId>;

// Of a file; - is standard input. Errors: kNotFound, kTooLarge, kIo.
[[nodiscard]] Result<std::string> read_text(const std::string& path);

// Chunks of n_tokens, at most n_chunks (0: all there are); each begins as a text does that the
// model reads alone, and what is left at the end is left out. Error: kInvalidArgument (the text is
// shorter than one chunk).
[[nodiscard]] Result<std::vector<TextChunk>> cut_text(const Tokenizer& tokenizer,
                                                      std::string_view text, std::uint32_t n_tokens,
                                                      std::uint32_t n_chunks);

class ChunkReader {
 public:
  static constexpr std::uint32_t kStepTokens = 128;  // all of whose logits are held at once

  // For chunks of up to n_tokens. adapter may be null. Error: kUnavailable (no memory).
  [[nodiscard]] static Result<ChunkReader> create(Model& model, std::uint32_t n_tokens,
                                                  const Adapter* adapter = nullptr);

  // Logits after each token of chunk from `begin` on, at most kStepTokens of them, good until the
  // next call: [n, n_vocab]. A chunk is read from 0 to its end.
  [[nodiscard]] std::span<const float> read(std::span<const TokenId> chunk, std::uint32_t begin);

 private:
  explicit ChunkReader(Model& model) : model_(model) {}

  Model& model_;
  const Adapter* adapter_ = nullptr;
  AlignedBuffer memory_;
  AlignedBuffer state_;
  KvMemory kv_;
  std::vector<PageId> pages_;
  std::vector<float> logits_;
};

}  // namespace jarip

#include "cli/text_chunks.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <numeric>

#include "cli/input.h"

namespace jarip {

Result<std::string> read_text(const std::string& path) {
  if (path == "-") return read_standard_input();
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kNotFound, fmt::format("can't read {}", path), "TEXT");
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return fail(ErrorCode::kIo, fmt::format("can't read {}", path), "TEXT");
  return text;
}

Result<std::vector<TextChunk>> cut_text(const Tokenizer& tokenizer, std::string_view text,
                                        std::uint32_t n_tokens, std::uint32_t n_chunks) {
  const TextChunk all = tokenizer.encode(text, SpecialTokens::kAsText);
  const std::size_t n_own = n_tokens - (tokenizer.add_bos() ? 1 : 0);
  std::size_t n = all.size() / n_own;
  if (n == 0) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the text has {} tokens, fewer than a chunk of {}; give more text, or "
                            "a smaller --chunk",
                            all.size(), n_tokens),
                "TEXT");
  }
  if (n_chunks != 0) n = std::min<std::size_t>(n, n_chunks);
  std::vector<TextChunk> chunks(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (tokenizer.add_bos()) chunks[i].push_back(*tokenizer.bos());
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * n_own);
    chunks[i].insert(chunks[i].end(), begin, begin + static_cast<std::ptrdiff_t>(n_own));
  }
  return chunks;
}

Result<ChunkReader> ChunkReader::create(Model& model, std::uint32_t n_tokens,
                                        const Adapter* adapter) {
  ChunkReader reader(model);
  reader.adapter_ = adapter;
  const std::uint32_t n_pages = (n_tokens + kKvPageTokens - 1) / kKvPageTokens;
  JARIP_TRY(reader.memory_,
            AlignedBuffer::allocate(std::uint64_t{n_pages} * model.kv_page_bytes()));
  JARIP_TRY(reader.state_, AlignedBuffer::allocate(model.state_bytes()));
  reader.kv_ = {.base = reader.memory_.data(),
                .page_bytes = model.kv_page_bytes(),
                .n_pages = n_pages,
                .states = reader.state_.data(),
                .state_bytes = model.state_bytes()};
  reader.pages_.resize(n_pages);
  std::iota(reader.pages_.begin(), reader.pages_.end(), PageId{0});
  reader.logits_.resize(std::size_t{std::min(n_tokens, kStepTokens)} * model.config().n_vocab);
  return reader;
}

std::span<const float> ChunkReader::read(std::span<const TokenId> chunk, std::uint32_t begin) {
  const auto piece = chunk.subspan(begin, std::min<std::size_t>(kStepTokens, chunk.size() - begin));
  const auto logits = std::span(logits_).first(piece.size() * model_.config().n_vocab);
  const SequenceChunk fed{.tokens = piece,
                          .position = begin,
                          .pages = pages_,
                          .n_logits = static_cast<std::uint32_t>(piece.size()),
                          .adapter = adapter_};
  model_.step(std::span(&fed, 1), kv_, logits);
  return logits;
}

}  // namespace jarip

#include "cli/imatrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/open_library.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "model/gguf.h"
#include "model/importance_collector.h"
#include "model/model.h"
#include "model/tokenizer.h"

namespace jarip {
namespace {

constexpr std::uint32_t kStepTokens = 128;  // all of whose logits are held at once

Result<std::string> read_text(const std::string& path) {
  if (path == "-") return read_standard_input();
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kNotFound, fmt::format("can't read {}", path), "TEXT");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Has a model read chunks, each from an empty context, and sums up how unlikely it found them.
class ChunkReader {
 public:
  static Result<ChunkReader> create(Model& model, std::uint32_t n_tokens) {
    ChunkReader reader(model, n_tokens);
    const std::uint32_t n_pages = (n_tokens + kKvPageTokens - 1) / kKvPageTokens;
    JARIP_TRY(reader.memory_,
              AlignedBuffer::allocate(std::uint64_t{n_pages} * model.kv_page_bytes()));
    reader.kv_ = {
        .base = reader.memory_.data(), .page_bytes = model.kv_page_bytes(), .n_pages = n_pages};
    reader.pages_.resize(n_pages);
    std::iota(reader.pages_.begin(), reader.pages_.end(), PageId{0});
    return reader;
  }

  void read(std::span<const TokenId> tokens) {
    const std::size_t n_vocab = model_.config().n_vocab;
    for (std::size_t at = 0; at < tokens.size(); at += kStepTokens) {
      const auto piece = tokens.subspan(at, std::min<std::size_t>(kStepTokens, tokens.size() - at));
      logits_.resize(piece.size() * n_vocab);
      const SequenceChunk chunk{.tokens = piece,
                                .position = static_cast<std::uint32_t>(at),
                                .pages = pages_,
                                .n_logits = static_cast<std::uint32_t>(piece.size())};
      model_.step(std::span(&chunk, 1), kv_, logits_);
      for (std::size_t i = 0; i < piece.size() && at + i + 1 < tokens.size(); ++i) {
        count(std::span(logits_).subspan(i * n_vocab, n_vocab), tokens[at + i + 1]);
      }
    }
  }
  [[nodiscard]] double perplexity() const {
    return std::exp(surprise_ / static_cast<double>(std::max<std::uint64_t>(n_counted_, 1)));
  }

 private:
  ChunkReader(Model& model, std::uint32_t n_tokens) : model_(model) {
    logits_.reserve(std::size_t{std::min(n_tokens, kStepTokens)} * model.config().n_vocab);
  }

  void count(std::span<const float> logits, TokenId next) {
    const float largest = std::ranges::max(logits);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit - largest));
    surprise_ += std::log(sum) - static_cast<double>(logits[next] - largest);
    ++n_counted_;
  }

  Model& model_;
  AlignedBuffer memory_;
  KvMemory kv_;
  std::vector<PageId> pages_;
  std::vector<float> logits_;
  double surprise_ = 0;
  std::uint64_t n_counted_ = 0;
};

// Every chunk begins as a text does that the model reads alone.
std::vector<std::vector<TokenId>> cut(const Tokenizer& tokenizer, std::string_view text,
                                      const ImatrixOptions& options) {
  const std::vector<TokenId> all = tokenizer.encode(text, SpecialTokens::kAsText);
  const std::size_t n_own = options.chunk - (tokenizer.add_bos() ? 1 : 0);
  std::size_t n_chunks = all.size() / n_own;
  if (options.chunks != 0) n_chunks = std::min<std::size_t>(n_chunks, options.chunks);
  std::vector<std::vector<TokenId>> chunks(n_chunks);
  for (std::size_t i = 0; i < n_chunks; ++i) {
    if (tokenizer.add_bos()) chunks[i].push_back(*tokenizer.bos());
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * n_own);
    chunks[i].insert(chunks[i].end(), begin, begin + static_cast<std::ptrdiff_t>(n_own));
  }
  return chunks;
}

struct Read {
  std::uint32_t n_chunks = 0;
  double perplexity = 0;
};

// Stops at Ctrl-C, with what it has.
Result<Read> read_all(Model& model, const std::vector<std::vector<TokenId>>& chunks,
                      std::uint32_t n_tokens) {
  JARIP_TRY(ChunkReader reader, ChunkReader::create(model, n_tokens));
  const Interrupt interrupt;
  Progress progress("reading");
  Read read;
  for (const std::vector<TokenId>& chunk : chunks) {
    if (interrupt.happened()) break;
    reader.read(chunk);
    ++read.n_chunks;
    progress.update(static_cast<float>(read.n_chunks) / static_cast<float>(chunks.size()),
                    fmt::format("{} / {}, perplexity {:.2f}", read.n_chunks, chunks.size(),
                                reader.perplexity()));
  }
  read.perplexity = reader.perplexity();
  if (read.n_chunks == 0) return fail(ErrorCode::kCancelled, "stopped; nothing was written");
  return read;
}

}  // namespace

Result<void> run_imatrix(const ImatrixOptions& options) {
  JARIP_TRY(const ModelLibrary library, open_library());
  JARIP_TRY(const auto source, library.resolve(options.model));
  const std::filesystem::path path =
      options.output.value_or(source.stem().native() + ".imatrix.gguf");
  if (!options.force && std::filesystem::exists(path)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("there is a file {} already; --force replaces it", path.native()),
                "output");
  }
  JARIP_TRY(const std::string text, read_text(options.text));
  JARIP_TRY(const GgufFile file, GgufFile::open(source));
  JARIP_TRY(const Tokenizer tokenizer, Tokenizer::from_gguf(file));
  const auto chunks = cut(tokenizer, text, options);
  if (chunks.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the text is shorter than a chunk of {} tokens; give more text, or a "
                            "smaller --chunk",
                            options.chunk),
                "TEXT");
  }
  const unsigned n_threads = options.threads == 0 ? ThreadPool::available_cores() : options.threads;
  ThreadPool pool(std::min(n_threads, ThreadPool::kMaxThreads));
  JARIP_TRY(const auto model, load_model(file, pool));
  ImportanceCollector collector;
  model->set_observer(&collector);
  JARIP_TRY(const Read read, read_all(*model, chunks, options.chunk));
  Importance importance = collector.result(file);
  importance.datasets = {std::filesystem::path(options.text).filename().native()};
  importance.n_chunks = read.n_chunks;
  importance.chunk_size = options.chunk;
  JARIP_CHECK(importance.save(path));
  return print(fmt::format("{} ({} matrices, {} chunks of {} tokens, perplexity {:.3f})\n",
                           path.native(), importance.entries().size(), read.n_chunks, options.chunk,
                           read.perplexity));
}

}  // namespace jarip

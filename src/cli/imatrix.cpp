#include "cli/imatrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "cli/divergence.h"
#include "cli/interrupt.h"
#include "cli/open_library.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/text_chunks.h"
#include "model/gguf.h"
#include "model/importance_collector.h"
#include "model/model.h"
#include "model/tokenizer.h"

namespace jarip {
namespace {

struct Read {
  std::uint32_t n_chunks = 0;
  double perplexity = 0;
};

// Stops at Ctrl-C, with what it has.
Result<Read> read_all(Model& model, const std::vector<TextChunk>& chunks, std::uint32_t n_tokens) {
  JARIP_TRY(ChunkReader reader, ChunkReader::create(model, n_tokens));
  const std::size_t n_vocab = model.config().n_vocab;
  const Interrupt interrupt;
  Progress progress("reading");
  Read read;
  double sum = 0;
  for (const TextChunk& chunk : chunks) {
    if (interrupt.happened()) break;
    for (std::uint32_t at = 0; at < n_tokens; at += ChunkReader::kStepTokens) {
      const std::span<const float> logits = reader.read(chunk, at);
      for (std::size_t i = 0; i < logits.size() / n_vocab && at + i + 1 < n_tokens; ++i) {
        sum += surprise(logits.subspan(i * n_vocab, n_vocab), chunk[at + i + 1]);
      }
    }
    ++read.n_chunks;
    read.perplexity = std::exp(sum / ((n_tokens - 1.0) * read.n_chunks));
    progress.update(
        static_cast<float>(read.n_chunks) / static_cast<float>(chunks.size()),
        fmt::format("{} / {}, perplexity {:.2f}", read.n_chunks, chunks.size(), read.perplexity));
  }
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
  JARIP_TRY(const auto chunks, cut_text(tokenizer, text, options.chunk, options.chunks));
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

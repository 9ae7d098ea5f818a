#include "cli/eval.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "base/thread_pool.h"
#include "cli/divergence.h"
#include "cli/interrupt.h"
#include "cli/open_adapter.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/text_chunks.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

namespace jarip {
namespace {

struct Reading {
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Model> model;
  std::unique_ptr<Adapter> adapter = {};  // of the model that is measured, where there is one
};

Result<Reading> load(const std::string& name, const EvalOptions& options, ThreadPool& pool) {
  JARIP_TRY(const auto path, find_model(name));
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  JARIP_TRY(Tokenizer tokenizer, Tokenizer::from_gguf(file));
  Progress progress("loading " + model_name_of(path));
  const auto on_progress = [](void* context, float fraction) {
    static_cast<Progress*>(context)->update(fraction);
  };
  auto model = load_model(file, pool,
                          {.path = options.loading.path,
                           .kv_format = options.loading.kv_format,
                           .on_progress = on_progress,
                           .progress_context = &progress});
  if (!model) {
    name_option(model.error());
    return std::unexpected(std::move(model).error());
  }
  const std::uint32_t n_ctx = (*model)->config().n_ctx_train;
  if (options.chunk > n_ctx) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--chunk {} is more than the {} tokens that {} was trained for",
                            options.chunk, n_ctx, model_name_of(path)),
                "chunk");
  }
  return Reading{std::make_unique<Tokenizer>(std::move(tokenizer)), *std::move(model)};
}

Result<Reading> load_measured(const EvalOptions& options, ThreadPool& pool) {
  if (options.lora && options.loading.path == ComputePath::kReference) {
    return fail(ErrorCode::kUnsupported, "the reference path has no adapters; leave --path out",
                "lora");
  }
  JARIP_TRY(Reading own, load(options.model, options, pool));
  if (options.lora) {
    JARIP_TRY(own.adapter, open_adapter(*options.lora, own.model->config(), pool));
  }
  return own;
}

Result<std::uint32_t> tokens_skipped(const EvalOptions& options) {
  const std::uint32_t skip = options.skip.value_or(options.chunk / 2);
  // The last token of a chunk is followed by none.
  if (skip < options.chunk - 1) return skip;
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("--skip {} leaves nothing to count of chunks of {} tokens", skip, options.chunk),
      "skip");
}

template <class T>
struct Measured {
  std::vector<T> tokens;  // those that count, in the text's order
  std::uint32_t n_chunks = 0;
};

// Reads chunks until Ctrl-C. read(chunk, begin) has the models read a piece of a chunk;
// at_token(i, next), called by the pool's threads, measures logits i of that piece against the
// token that follows; say(tokens) is shown beside the progress.
template <class T, class Read, class AtToken, class Say>
Result<Measured<T>> measure(const std::vector<TextChunk>& chunks, std::uint32_t skip,
                            ThreadPool& pool, Read&& read, AtToken&& at_token, Say&& say) {
  const Interrupt interrupt;
  Progress progress("reading");
  Measured<T> all;
  for (const TextChunk& chunk : chunks) {
    if (interrupt.happened()) break;
    const auto n_tokens = static_cast<std::uint32_t>(chunk.size());
    for (std::uint32_t begin = 0; begin < n_tokens; begin += ChunkReader::kStepTokens) {
      read(chunk, begin);
      const std::uint32_t first = std::max(begin, skip);
      const std::uint32_t end = std::min(begin + ChunkReader::kStepTokens, n_tokens - 1);
      if (first >= end) continue;
      const std::size_t n_before = all.tokens.size();
      all.tokens.resize(n_before + end - first);
      pool.run(end - first, [&](std::uint32_t task, unsigned) {
        all.tokens[n_before + task] = at_token(first - begin + task, chunk[first + task + 1]);
      });
    }
    ++all.n_chunks;
    progress.update(static_cast<float>(all.n_chunks) / static_cast<float>(chunks.size()),
                    fmt::format("{} / {}, {}", all.n_chunks, chunks.size(), say(all.tokens)));
  }
  if (all.n_chunks == 0) {
    return fail(ErrorCode::kCancelled, "stopped before anything was measured");
  }
  return all;
}

// Row i of logits [n, n_vocab].
std::span<const float> row(std::span<const float> logits, std::uint32_t i, std::size_t n_vocab) {
  return logits.subspan(i * n_vocab, n_vocab);
}

boost::json::object facts_of(const EvalOptions& options, std::uint32_t skip, std::uint32_t n_chunks,
                             std::size_t n_tokens) {
  return {{"model", options.model}, {"text", options.text}, {"chunk", options.chunk},
          {"skip", skip},           {"n_chunks", n_chunks}, {"n_tokens", n_tokens}};
}

boost::json::object json_of(const Perplexity& perplexity) {
  return {{"value", perplexity.value}, {"standard_error", perplexity.error}};
}

std::string words_of(const Perplexity& perplexity) {
  return fmt::format("{:.4f} ± {:.4f}", perplexity.value, perplexity.error);
}

std::string table_of(const DivergenceSummary& all, std::uint32_t n_chunks) {
  return format_table(
      {{"measure"}, {"value"}},
      {{"tokens", fmt::format("{} of {} chunks", all.n_tokens, n_chunks)},
       {"mean KL", fmt::format("{:.4g} ± {:.2g}", all.mean_kl, all.error)},
       {"median KL", fmt::format("{:.4g}", all.median_kl)},
       {"99 % KL", fmt::format("{:.4g}", all.p99_kl)},
       {"highest KL", fmt::format("{:.4g}", all.max_kl)},
       {"same likeliest token", fmt::format("{:.2f} %", 100 * all.same_top)},
       {"rms of the token's change in probability", fmt::format("{:.3f} %", 100 * all.rms_delta_p)},
       {"perplexity", words_of(all.perplexity)},
       {"perplexity of the base", words_of(all.base_perplexity)}});
}

Result<std::vector<TextChunk>> read_chunks(const Tokenizer& tokenizer, const EvalOptions& options) {
  JARIP_TRY(const std::string text, read_text(options.text));
  return cut_text(tokenizer, text, options.chunk, options.chunks);
}

Result<void> check_same_tokens(const Reading& model, const Reading& base,
                               const EvalOptions& options) {
  const std::uint32_t n_own = model.model->config().n_vocab;
  const std::uint32_t n_base = base.model->config().n_vocab;
  if (n_own == n_base) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} has a vocabulary of {} tokens and {} one of {}; their distributions "
                          "can't be compared",
                          options.model, n_own, options.base, n_base),
              "BASE");
}

unsigned n_threads_of(const EvalOptions& options) {
  const unsigned n = options.loading.threads;
  return std::min(n == 0 ? ThreadPool::available_cores() : n, ThreadPool::kMaxThreads);
}

}  // namespace

Result<void> run_eval_perplexity(const EvalOptions& options) {
  JARIP_TRY(const std::uint32_t skip, tokens_skipped(options));
  choose_cpu(options.loading);
  ThreadPool pool(n_threads_of(options));
  JARIP_TRY(const Reading own, load_measured(options, pool));
  JARIP_TRY(const auto chunks, read_chunks(*own.tokenizer, options));
  JARIP_TRY(ChunkReader reader, ChunkReader::create(*own.model, options.chunk, own.adapter.get()));
  const std::size_t n_vocab = own.model->config().n_vocab;
  std::span<const float> logits;
  JARIP_TRY(
      const Measured<double> all,
      measure<double>(
          chunks, skip, pool,
          [&](const TextChunk& chunk, std::uint32_t begin) { logits = reader.read(chunk, begin); },
          [&](std::uint32_t i, TokenId next) { return surprise(row(logits, i, n_vocab), next); },
          [](std::span<const double> tokens) {
            return fmt::format("perplexity {:.3f}", perplexity(tokens).value);
          }));
  const Perplexity result = perplexity(all.tokens);
  if (options.json) {
    auto facts = facts_of(options, skip, all.n_chunks, all.tokens.size());
    facts["perplexity"] = json_of(result);
    return print(boost::json::serialize(facts) + "\n");
  }
  return print(fmt::format("perplexity {} ({} tokens of {} chunks)\n", words_of(result),
                           all.tokens.size(), all.n_chunks));
}

Result<void> run_eval_kl(const EvalOptions& options) {
  JARIP_TRY(const std::uint32_t skip, tokens_skipped(options));
  choose_cpu(options.loading);
  ThreadPool pool(n_threads_of(options));
  JARIP_TRY(const Reading own, load_measured(options, pool));
  JARIP_TRY(const Reading base, load(options.base, options, pool));
  JARIP_CHECK(check_same_tokens(own, base, options));
  JARIP_TRY(const auto chunks, read_chunks(*base.tokenizer, options));
  JARIP_TRY(ChunkReader reader, ChunkReader::create(*own.model, options.chunk, own.adapter.get()));
  JARIP_TRY(ChunkReader base_reader, ChunkReader::create(*base.model, options.chunk));
  const std::size_t n_vocab = base.model->config().n_vocab;
  std::span<const float> logits;
  std::span<const float> truth;
  JARIP_TRY(const Measured<TokenDivergence> all,
            measure<TokenDivergence>(
                chunks, skip, pool,
                [&](const TextChunk& chunk, std::uint32_t begin) {
                  logits = reader.read(chunk, begin);
                  truth = base_reader.read(chunk, begin);
                },
                [&](std::uint32_t i, TokenId next) {
                  return diverge(row(truth, i, n_vocab), row(logits, i, n_vocab), next);
                },
                [](std::span<const TokenDivergence> tokens) {
                  double sum = 0;
                  for (const TokenDivergence& token : tokens) sum += token.kl;
                  return fmt::format("mean KL {:.4g}", sum / static_cast<double>(tokens.size()));
                }));
  const DivergenceSummary summary = summarize(all.tokens);
  if (!options.json) return print(table_of(summary, all.n_chunks));
  auto facts = facts_of(options, skip, all.n_chunks, all.tokens.size());
  facts["base"] = options.base;
  facts["kl"] = {{"mean", summary.mean_kl},
                 {"standard_error", summary.error},
                 {"median", summary.median_kl},
                 {"p99", summary.p99_kl},
                 {"max", summary.max_kl}};
  facts["same_likeliest_token"] = summary.same_top;
  facts["rms_delta_p"] = summary.rms_delta_p;
  facts["perplexity"] = json_of(summary.perplexity);
  facts["base_perplexity"] = json_of(summary.base_perplexity);
  return print(boost::json::serialize(facts) + "\n");
}

}  // namespace jarip

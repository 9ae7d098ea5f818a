#include "cli/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "cli/bench_profile.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "engine/engine.h"
#include "model/gguf.h"
#include "model/model.h"

namespace jarip {
namespace {

struct Speeds {
  std::string test;
  std::uint32_t n_tokens = 0;
  double median = 0;  // tokens a second
  double min = 0;
  double max = 0;
  double spread = 0;  // (max - min) / median
  StepProfile profile;
};

// Sequences of made-up tokens and the memory that they are read into. What the tokens are doesn't
// change how long they take.
class Workload {
 public:
  static Result<Workload> create(Model& model, std::uint32_t n_tokens, std::uint32_t batch) {
    Workload work(model, batch);
    const std::uint32_t n_pages = (n_tokens + kKvPageTokens - 1) / kKvPageTokens;
    const std::uint64_t n_bytes = std::uint64_t{n_pages} * batch * model.kv_page_bytes();
    JARIP_TRY(work.memory_, AlignedBuffer::allocate(n_bytes));
    work.kv_ = {.base = work.memory_.data(),
                .page_bytes = model.kv_page_bytes(),
                .n_pages = n_pages * batch};
    for (std::uint32_t i = 0; i < n_pages * batch; ++i) work.pages_.push_back(i);
    for (std::uint32_t i = 0; i < n_tokens; ++i) {
      work.tokens_.push_back(i * 7919 % model.config().n_vocab);
    }
    return work;
  }

  // Feeds tokens [begin, end) of every sequence, n_logits wanted after each.
  void feed(std::uint32_t begin, std::uint32_t end, std::uint32_t n_logits) {
    chunks_.clear();
    const std::span pages(pages_);
    const std::size_t pages_each = pages_.size() / batch_;
    for (std::uint32_t i = 0; i < batch_; ++i) {
      chunks_.push_back({.tokens = std::span(tokens_).subspan(begin, end - begin),
                         .position = begin,
                         .pages = pages.subspan(i * pages_each, pages_each),
                         .n_logits = n_logits});
    }
    model_.step(chunks_, kv_, std::span(logits_).first(n_logits == 0 ? 0 : logits_.size()));
  }

 private:
  Workload(Model& model, std::uint32_t batch)
      : model_(model), batch_(batch), logits_(std::size_t{batch} * model.config().n_vocab) {}

  Model& model_;
  std::uint32_t batch_;
  std::vector<float> logits_;
  std::vector<TokenId> tokens_;
  std::vector<PageId> pages_;
  std::vector<SequenceChunk> chunks_;
  AlignedBuffer memory_;
  KvMemory kv_;
};

// Steps as large as the engine's, the last of them with logits.
void prefill(Workload& work, std::uint32_t n_tokens, std::uint32_t batch) {
  const std::uint32_t step = std::max(1U, EngineOptions().max_step_tokens / batch);
  for (std::uint32_t begin = 0; begin < n_tokens; begin += step) {
    const std::uint32_t end = std::min(n_tokens, begin + step);
    work.feed(begin, end, end == n_tokens ? 1 : 0);
  }
}

// From an empty context, as other programs' figures are.
void decode(Workload& work, std::uint32_t n_tokens) {
  for (std::uint32_t i = 0; i < n_tokens; ++i) work.feed(i, i + 1, 1);
}

template <class Body>
Speeds measure(std::string test, std::uint32_t n_tokens, const BenchOptions& options, Model& model,
               Body body) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> speeds;
  body();  // memory and caches warm
  for (std::uint32_t rep = 0; rep < options.reps; ++rep) {
    const auto begin = Clock::now();
    body();
    const std::chrono::duration<double> seconds = Clock::now() - begin;
    speeds.push_back(static_cast<double>(n_tokens) * options.batch / seconds.count());
  }
  StepProfile profile;
  if (options.profile) {
    model.set_profile(&profile);
    body();
    model.set_profile(nullptr);
  }
  std::ranges::sort(speeds);
  const std::size_t middle = speeds.size() / 2;
  const double median =
      speeds.size() % 2 == 1 ? speeds[middle] : (speeds[middle - 1] + speeds[middle]) / 2;
  return {.test = std::move(test),
          .n_tokens = n_tokens,
          .median = median,
          .min = speeds.front(),
          .max = speeds.back(),
          .spread = (speeds.back() - speeds.front()) / median,
          .profile = profile};
}

std::string table_of(const std::vector<Speeds>& rows, const BenchOptions& options,
                     unsigned n_threads, const MachineLimits& limits) {
  std::string table = fmt::format("{:<8} {:>7} {:>6} {:>8} {:>12} {:>10} {:>10} {:>8}\n", "test",
                                  "tokens", "batch", "threads", "tokens/s", "min", "max", "spread");
  for (const Speeds& row : rows) {
    table += fmt::format("{:<8} {:>7} {:>6} {:>8} {:>12.1f} {:>10.1f} {:>10.1f} {:>7.1f}%\n",
                         row.test, row.n_tokens, options.batch, n_threads, row.median, row.min,
                         row.max, row.spread * 100);
    if (options.profile) table += profile_table(row.profile, limits);
  }
  return table;
}

std::string json_of(const std::vector<Speeds>& rows, const BenchOptions& options,
                    unsigned n_threads, const MachineLimits& limits) {
  boost::json::array list;
  for (const Speeds& row : rows) {
    boost::json::object line{
        {"test", row.test},
        {"n_tokens", row.n_tokens},
        {"batch", options.batch},
        {"threads", n_threads},
        {"reps", options.reps},
        {"tokens_per_second",
         {{"median", row.median}, {"min", row.min}, {"max", row.max}, {"spread", row.spread}}}};
    if (options.profile) line["profile"] = profile_json(row.profile, limits);
    list.push_back(std::move(line));
  }
  return boost::json::serialize(list) + "\n";
}

Result<void> run_limits(const BenchOptions& options, ThreadPool& pool) {
  JARIP_TRY(const Kernels* kernels, select_kernels());
  JARIP_TRY(const MachineLimits limits, measure_limits(*kernels, pool));
  return print(options.json ? limits_json(limits, pool.n_threads())
                            : limits_table(limits, pool.n_threads()));
}

Result<std::unique_ptr<Model>> load(const BenchOptions& options, ThreadPool& pool) {
  JARIP_TRY(const auto path, find_model(*options.model));
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  Progress progress("loading " + model_name_of(path));
  const auto on_progress = [](void* context, float fraction) {
    static_cast<Progress*>(context)->update(fraction);
  };
  return load_model(
      file, pool,
      {.path = options.loading.path, .on_progress = on_progress, .progress_context = &progress});
}

}  // namespace

Result<void> run_bench(const BenchOptions& options) {
  choose_cpu(options.loading);
  const unsigned n_threads =
      options.loading.threads == 0 ? ThreadPool::available_cores() : options.loading.threads;
  ThreadPool pool(std::min(n_threads, ThreadPool::kMaxThreads));
  if (options.limits) return run_limits(options, pool);
  if (!options.model) return fail(ErrorCode::kInvalidArgument, "MODEL is missing", "MODEL");
  if (options.n_prefill == 0 && options.n_decode == 0) {
    return fail(ErrorCode::kInvalidArgument, "--prefill 0 and --decode 0 leave nothing to measure",
                "prefill");
  }
  JARIP_TRY(const auto model, load(options, pool));
  JARIP_TRY(Workload work,
            Workload::create(*model, std::max(options.n_prefill, options.n_decode), options.batch));
  MachineLimits limits;
  if (options.profile) {
    JARIP_TRY(const Kernels* kernels, select_kernels());
    JARIP_TRY(limits, measure_limits(*kernels, pool));
  }
  std::vector<Speeds> rows;
  if (options.n_prefill != 0) {
    rows.push_back(measure("prefill", options.n_prefill, options, *model,
                           [&] { prefill(work, options.n_prefill, options.batch); }));
  }
  if (options.n_decode != 0) {
    rows.push_back(measure("decode", options.n_decode, options, *model,
                           [&] { decode(work, options.n_decode); }));
  }
  const unsigned used = pool.n_threads();
  return print(options.json ? json_of(rows, options, used, limits)
                            : table_of(rows, options, used, limits));
}

}  // namespace jarip

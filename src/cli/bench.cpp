#include "cli/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <vector>

#include "base/thread_pool.h"
#include "cli/bench_lines.h"
#include "cli/bench_profile.h"
#include "cli/bench_work.h"
#include "cli/output.h"
#include "cli/progress.h"
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

Result<Speeds> measure(std::string test, const BenchItem& item, const BenchOptions& options,
                       Model& model, BenchWork& work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> speeds;
  JARIP_CHECK(work.prepare(item));
  work.run(item);  // memory and caches warm
  for (std::uint32_t rep = 0; rep < options.reps; ++rep) {
    const auto begin = Clock::now();
    work.run(item);
    const std::chrono::duration<double> seconds = Clock::now() - begin;
    speeds.push_back(static_cast<double>(item.n_tokens) * item.batch / seconds.count());
  }
  StepProfile profile;
  if (options.profile) {
    model.set_profile(&profile);
    // The quickest of the runs: what disturbs one is not where the time goes.
    StepProfile quickest;
    for (std::uint32_t rep = 0; rep < options.reps; ++rep) {
      profile.clear();
      work.run(item);
      if (rep == 0 || profile.seconds() < quickest.seconds()) quickest = profile;
    }
    model.set_profile(nullptr);
    profile = quickest;
  }
  std::ranges::sort(speeds);
  const std::size_t middle = speeds.size() / 2;
  const double median =
      speeds.size() % 2 == 1 ? speeds[middle] : (speeds[middle - 1] + speeds[middle]) / 2;
  return Speeds{.test = std::move(test),
                .n_tokens = item.n_tokens,
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
        {"depth", options.depth},
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

Result<std::unique_ptr<Model>> load(std::string_view name, const BenchOptions& options,
                                    ThreadPool& pool) {
  JARIP_TRY(const auto path, find_model(name));
  JARIP_TRY(const GgufFile file, GgufFile::open(path));
  Progress progress("loading " + model_name_of(path));
  const auto on_progress = [](void* context, float fraction) {
    static_cast<Progress*>(context)->update(fraction);
  };
  auto model = load_model(file, pool,
                          {.path = options.loading.path,
                           .kv_format = options.loading.kv_format,
                           .on_progress = on_progress,
                           .progress_context = &progress});
  if (!model) name_option(model.error());
  return model;
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
  JARIP_TRY(const auto model, load(*options.model, options, pool));
  if (options.from_stdin) return run_bench_lines(*model);
  MachineLimits limits;
  if (options.profile) {
    JARIP_TRY(const Kernels* kernels, select_kernels());
    JARIP_TRY(limits, measure_limits(*kernels, pool));
  }
  std::vector<Speeds> rows;
  BenchWork work(*model);
  const auto add = [&](std::string test, BenchKind kind, std::uint32_t n_tokens) -> Result<void> {
    if (n_tokens == 0) return {};
    const BenchItem item{
        .kind = kind, .n_tokens = n_tokens, .batch = options.batch, .depth = options.depth};
    JARIP_TRY(rows.emplace_back(), measure(std::move(test), item, options, *model, work));
    return {};
  };
  JARIP_CHECK(add("prefill", BenchKind::kPrefill, options.n_prefill));
  JARIP_CHECK(add("decode", BenchKind::kDecode, options.n_decode));
  const unsigned used = pool.n_threads();
  return print(options.json ? json_of(rows, options, used, limits)
                            : table_of(rows, options, used, limits));
}

}  // namespace jarip

#include "cli/pull.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include "app/model_pull.h"
#include "base/machine_memory.h"
#include "cli/interrupt.h"
#include "cli/open_library.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace jarip {
namespace {

// A rate before this long means nothing.
constexpr double kFirstRate_s = 1;

std::string format_time_left(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s left", whole);
  if (whole < 3600) return fmt::format("{} min {} s left", whole / 60, whole % 60);
  return fmt::format("{} h {} min left", whole / 3600, whole / 60 % 60);
}

Result<void> list_catalogue(const PullOptions& options) {
  const Environment environment = [](const char* name) { return std::getenv(name); };
  const std::uint64_t n_memory_bytes = machine_memory();
  return print(options.json ? catalogue_as_json(n_memory_bytes)
                            : catalogue_as_text(n_memory_bytes, language_of(environment)));
}

}  // namespace

std::string catalogue_as_text(std::uint64_t n_memory_bytes, Language language) {
  constexpr Words kKorean = {"Korean", "한국어"};
  constexpr Words kYes = {"yes", "예"};
  const bool korean = language == Language::kKorean;
  const CatalogueModel& best = best_for_memory(n_memory_bytes, korean);
  std::vector<std::vector<std::string>> rows;
  for (const CatalogueModel& model : model_catalogue()) {
    const bool fits = model.n_memory_bytes() <= n_memory_bytes;
    rows.push_back({&model == &best ? "*"
                    : fits          ? ""
                                    : "!",
                    std::string(model.name), format_bytes(model.n_bytes),
                    format_bytes(model.n_memory_bytes()),
                    model.speaks_korean ? std::string(kYes.in(language)) : "",
                    std::string(model.licence), std::string(model.about.in(language))});
  }
  constexpr Words kBest = {"* what this machine runs well   ! more memory than this machine has",
                           "* 이 기계에 알맞다   ! 이 기계의 메모리보다 크다"};
  constexpr Words kHow = {"jarip pull NAME fetches one; hf:OWNER/REPO any GGUF file of the hub.",
                          "jarip pull NAME으로 받는다. hf:OWNER/REPO로 허브의 다른 GGUF도 받는다."};
  return fmt::format("{}\n{}\n{}\n",
                     format_table({{""},
                                   {"name"},
                                   {"size", Align::kRight},
                                   {"memory", Align::kRight},
                                   {kKorean.in(language)},
                                   {"licence"},
                                   {""}},
                                  rows),
                     kBest.in(language), kHow.in(language));
}

std::string catalogue_as_json(std::uint64_t n_memory_bytes) {
  boost::json::array rows;
  for (const CatalogueModel& model : model_catalogue()) {
    rows.push_back(boost::json::object{{"name", model.name},
                                       {"repository", model.repository},
                                       {"file", model.file},
                                       {"bytes", model.n_bytes},
                                       {"memory_bytes", model.n_memory_bytes()},
                                       {"fits", model.n_memory_bytes() <= n_memory_bytes},
                                       {"korean", model.speaks_korean},
                                       {"licence", model.licence}});
  }
  return boost::json::serialize(rows) + "\n";
}

std::string describe_download(const DownloadProgress& progress, double seconds) {
  std::string text = progress.n_bytes == 0 ? format_bytes(progress.n_done)
                                           : fmt::format("{} of {}", format_bytes(progress.n_done),
                                                         format_bytes(progress.n_bytes));
  if (!progress.trouble.empty()) return fmt::format("{}, {}", text, progress.trouble);
  if (seconds < kFirstRate_s) return text;
  const double rate =
      static_cast<double>(progress.n_done - std::min(progress.n_from_before, progress.n_done)) /
      seconds;
  text += fmt::format(", {}/s", format_bytes(static_cast<std::uint64_t>(rate)));
  if (progress.n_bytes > progress.n_done && rate > 0) {
    text += ", " + format_time_left(static_cast<double>(progress.n_bytes - progress.n_done) / rate);
  }
  return text;
}

Result<void> run_pull(const PullOptions& options) {
  if (!options.source) return list_catalogue(options);
  JARIP_TRY(const ModelLibrary library, open_library());
  const Interrupt interrupt;
  std::optional<Progress> bar;
  const auto start = std::chrono::steady_clock::now();
  const PullRequest request{
      .source = *options.source,
      .name = options.name,
      .sha256 = options.sha256,
      .hub = hub_of([](const char* name) { return std::getenv(name); }),
      .on_begin = [&](const std::string& name,
                      const std::string&) { bar.emplace("fetching " + name); },
      .on_progress =
          [&](const DownloadProgress& progress) {
            const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
            bar->update(progress.n_bytes == 0 ? 0.0F
                                              : static_cast<float>(progress.n_done) /
                                                    static_cast<float>(progress.n_bytes),
                        describe_download(progress, passed.count()));
          },
      .should_stop = [&] { return interrupt.happened(); }};
  auto pulled = pull_model(library, request);
  bar.reset();
  if (!pulled && pulled.error().code == ErrorCode::kCancelled) {
    fmt::print(stderr, "jarip: stopped; the same command goes on from there\n");
  }
  JARIP_TRY(const PulledModel model, std::move(pulled));
  return print(fmt::format("{} {} ({}{})\n", model.model.name,
                           model.was_there ? "is there already" : "fetched",
                           format_bytes(model.model.n_bytes),
                           model.was_there     ? ""
                           : model.was_checked ? ", SHA-256 checked"
                                               : fmt::format(", SHA-256 {}", model.sha256)));
}

}  // namespace jarip

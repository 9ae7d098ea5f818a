#include "cli/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "base/language.h"
#include "cli/open_library.h"
#include "cli/output.h"
#include "cli/write_model.h"
#include "model/gguf.h"

namespace jarip {
namespace {

std::filesystem::path path_of_result(const QuantizeOptions& options,
                                     const std::filesystem::path& source) {
  if (options.output) return *options.output;
  return fmt::format("{}-{}.gguf", source.stem().native(), file_type_row(options.format).name);
}

void advise(const QuantizeReport& report) {
  constexpr Words kRequantized = {
      "the source was quantized already; starting from its F16 file loses less",
      "원본이 이미 양자화된 파일이다. F16 파일에서 시작하면 덜 잃는다"};
  constexpr Words kUnknown = {"matrices of which the importance matrix knows nothing",
                              "중요도 행렬에 없는 행렬"};
  const Language language = language_of([](const char* name) { return std::getenv(name); });
  if (report.n_requantized > 0) fmt::print(stderr, "jarip: {}\n", kRequantized.in(language));
  if (report.n_without_importance > 0) {
    fmt::print(stderr, "jarip: {}: {} / {}\n", kUnknown.in(language), report.n_without_importance,
               report.n_matrices);
  }
}

}  // namespace

Result<void> run_quantize(const QuantizeOptions& options) {
  JARIP_TRY(const ModelLibrary library, open_library());
  JARIP_TRY(const auto source, library.resolve(options.source));
  const std::filesystem::path path = path_of_result(options, source);
  JARIP_CHECK(check_target(path, options.force));
  JARIP_TRY(const GgufFile file, GgufFile::open(source));
  std::optional<Importance> importance;
  if (!options.imatrix.empty()) {
    JARIP_TRY(importance, Importance::load(options.imatrix));
  }
  const GgufSource model(file);
  JARIP_TRY(const QuantizeReport report,
            write_model({.source = &model,
                         .format = options.format,
                         .importance = importance ? &*importance : nullptr,
                         .path = path,
                         .force = options.force,
                         .threads = options.threads}));
  advise(report);
  const double bits = 8.0 * static_cast<double>(report.n_bytes) /
                      static_cast<double>(std::max<std::uint64_t>(report.n_weights, 1));
  return print(fmt::format("{} ({}, {:.2f} bits a weight; {} before)\n", path.native(),
                           format_bytes(report.n_bytes), bits, format_bytes(file.n_bytes())));
}

}  // namespace jarip

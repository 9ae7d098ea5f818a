#include "cli/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/thread_pool.h"
#include "cli/output.h"
#include "cli/write_model.h"
#include "convert/hub_model.h"

namespace jarip {
namespace {

std::filesystem::path path_of_result(const ConvertOptions& options) {
  if (options.output) return *options.output;
  std::filesystem::path source = std::filesystem::absolute(options.source).lexically_normal();
  if (source.filename().empty()) source = source.parent_path();  // "folder/"
  if (source.extension() == ".safetensors") source = source.parent_path();
  std::string name = source.filename().native();
  if (name.empty()) name = "model";
  if (!options.format) return name + ".gguf";
  return fmt::format("{}-{}.gguf", name, file_type_row(*options.format).name);
}

}  // namespace

Result<void> run_convert(const ConvertOptions& options) {
  const std::filesystem::path path = path_of_result(options);
  JARIP_CHECK(check_target(path, options.force));
  JARIP_TRY(const std::unique_ptr<HubModel> model, HubModel::open(options.source, options.pooling));
  JARIP_TRY(const QuantizeReport report, write_model({.source = model.get(),
                                                      .format = options.format,
                                                      .path = path,
                                                      .force = options.force,
                                                      .threads = options.threads}));
  JARIP_TRY(const std::string_view family, model->metadata().read_string("general.architecture"));
  return print(fmt::format("{} ({}, {}; {} before)\n", path.native(), family,
                           format_bytes(report.n_bytes), format_bytes(model->n_bytes())));
}

}  // namespace jarip

#include "cli/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/new_file.h"
#include "base/thread_pool.h"
#include "cli/model_settings.h"
#include "cli/output.h"
#include "cli/write_model.h"
#include "convert/hub_adapter.h"
#include "convert/hub_model.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/gguf.h"

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

bool is_adapter_folder(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path / "adapter_config.json", error);
}

// An adapter is small: its file is made in memory.
Result<void> convert_adapter_folder(const ConvertOptions& options,
                                    const std::filesystem::path& path) {
  if (!options.base) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is an adapter; --base says which model it is for", options.source),
                "base");
  }
  if (options.format) {
    return fail(ErrorCode::kUnsupported,
                "an adapter's weights stay as they are; leave --format out", "format");
  }
  JARIP_TRY(const auto base_path, find_model(*options.base));
  JARIP_TRY(const GgufFile base, GgufFile::open(base_path));
  JARIP_TRY(const ModelConfig config, read_config(base));
  JARIP_TRY(const auto bytes, convert_adapter(options.source, config));
  JARIP_TRY(const GgufFile file, GgufFile::parse(bytes));
  ThreadPool pool(1);
  JARIP_TRY(const auto adapter, Adapter::load(file, config, pool));  // it can be applied
  JARIP_TRY(
      NewFile written,
      NewFile::create(path, bytes.size(), options.force ? Existing::kReplace : Existing::kRefuse));
  JARIP_CHECK(written.write_at(0, bytes));
  JARIP_CHECK(written.publish());
  return print(fmt::format("{} (adapter for {}, rank {}, {})\n", path.native(), config.family,
                           adapter->max_rank(), format_bytes(bytes.size())));
}

}  // namespace

Result<void> run_convert(const ConvertOptions& options) {
  const std::filesystem::path path = path_of_result(options);
  JARIP_CHECK(check_target(path, options.force));
  if (is_adapter_folder(options.source)) return convert_adapter_folder(options, path);
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

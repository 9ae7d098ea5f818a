#include "cli/models.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

#include "base/machine_memory.h"
#include "base/utf8.h"
#include "cli/open_library.h"
#include "cli/output.h"

namespace jarip {
namespace {

// In the person's own time zone.
std::string format_time(std::int64_t unix_seconds) {
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  if (::localtime_r(&time, &parts) == nullptr) return "unknown";
  char text[32];
  const std::size_t n = std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts);
  return {text, n};
}

// As `jarip serve` would load it without options.
Result<ModelOutline> outline_of(const LibraryModel& model) {
  JARIP_TRY(const GgufFile file, GgufFile::open(model.path));
  return outline_model(file, {});
}

}  // namespace

std::string models_as_text(std::span<const ListedModel> models, std::uint64_t n_memory_bytes) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [file, outline] : models) {
    std::vector<std::string> row = {file.name, format_bytes(file.n_bytes)};
    if (outline) {
      const bool fits = outline->memory.total() <= n_memory_bytes;
      row.insert(row.end(), {outline->family, outline->format, format_count(outline->n_ctx_train),
                             format_bytes(outline->memory.total()), fits ? "yes" : "no"});
    } else {
      row.insert(row.end(), {"can't run", "", "", "", "no"});
    }
    row.push_back(format_time(file.modified));
    rows.push_back(std::move(row));
  }
  return format_table({{"name"},
                       {"size", Align::kRight},
                       {"family"},
                       {"format"},
                       {"context", Align::kRight},
                       {"memory", Align::kRight},
                       {"fits"},
                       {"added"}},
                      rows);
}

std::string models_as_json(std::span<const ListedModel> models, std::uint64_t n_memory_bytes) {
  boost::json::array rows;
  for (const auto& [file, outline] : models) {
    boost::json::object row{{"name", file.name},
                            {"path", replace_invalid(file.path.native())},
                            {"bytes", file.n_bytes},
                            {"modified", file.modified}};
    if (outline) {
      const ModelMemory& memory = outline->memory;
      row["family"] = replace_invalid(outline->family);
      row["format"] = outline->format;
      row["task"] = task_name(outline->task);
      row["context_length"] = outline->n_ctx_train;
      row["memory"] = boost::json::object{{"total", memory.total()},
                                          {"weights", memory.weights},
                                          {"kv", memory.kv},
                                          {"scratch", memory.scratch}};
      row["fits"] = memory.total() <= n_memory_bytes;
    } else {
      row["problem"] = replace_invalid(outline.error().message);
    }
    rows.push_back(std::move(row));
  }
  return boost::json::serialize(rows) + "\n";
}

Result<void> run_models(const ModelsOptions& options) {
  JARIP_TRY(const ModelLibrary library, open_library());
  JARIP_TRY(const auto files, library.list());
  std::vector<ListedModel> models;
  for (const LibraryModel& file : files) models.push_back({file, outline_of(file)});
  const std::uint64_t n_memory_bytes = safe_model_memory();
  if (options.json) return print(models_as_json(models, n_memory_bytes));
  if (!models.empty()) return print(models_as_text(models, n_memory_bytes));
  fmt::print(stderr,
             "jarip: no model is in {} yet: `jarip pull` shows some to fetch, `jarip import FILE` "
             "adds a file\n",
             library.folder().native());
  return {};
}

}  // namespace jarip

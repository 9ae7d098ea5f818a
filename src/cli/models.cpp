#include "cli/models.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

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

}  // namespace

std::string models_as_text(std::span<const LibraryModel> models) {
  std::vector<std::vector<std::string>> rows;
  for (const LibraryModel& model : models) {
    rows.push_back({model.name, format_bytes(model.n_bytes), format_time(model.modified)});
  }
  return format_table({{"name"}, {"size", Align::kRight}, {"added"}}, rows);
}

std::string models_as_json(std::span<const LibraryModel> models) {
  boost::json::array rows;
  for (const LibraryModel& model : models) {
    rows.push_back(boost::json::object{{"name", model.name},
                                       {"path", replace_invalid(model.path.native())},
                                       {"bytes", model.n_bytes},
                                       {"modified", model.modified}});
  }
  return boost::json::serialize(rows) + "\n";
}

Result<void> run_models(const ModelsOptions& options) {
  JARIP_TRY(const ModelLibrary library, open_library());
  JARIP_TRY(const auto models, library.list());
  if (options.json) return print(models_as_json(models));
  if (!models.empty()) return print(models_as_text(models));
  fmt::print(stderr,
             "jarip: no model is in {} yet: `jarip pull` shows some to fetch, `jarip import FILE` "
             "adds a file\n",
             library.folder().native());
  return {};
}

}  // namespace jarip

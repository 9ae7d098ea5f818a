#include "cli/import.h"

#include <fmt/format.h>

#include <cstdint>

#include "cli/open_library.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace jarip {

Result<void> run_import(const ImportOptions& options) {
  JARIP_TRY(const ModelLibrary library, open_library());
  JARIP_TRY(const ImportedModel imported, [&] {
    Progress progress(fmt::format("importing {}", options.file));  // wiped before the answer
    return library.import_file({.file = options.file,
                                .name = options.name,
                                .on_progress = [&](std::uint64_t n_done, std::uint64_t n_bytes) {
                                  progress.update(static_cast<float>(n_done) /
                                                  static_cast<float>(n_bytes));
                                }});
  }());
  return print(fmt::format("{} {} ({})\n", imported.model.name,
                           imported.was_there ? "is there already" : "imported",
                           format_bytes(imported.model.n_bytes)));
}

}  // namespace jarip

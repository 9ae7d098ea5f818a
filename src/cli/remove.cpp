#include "cli/remove.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "cli/open_library.h"
#include "cli/output.h"

namespace jarip {
namespace {

// Anything but a yes is a no.
bool agrees(const LibraryModel& model, Language language) {
  constexpr Words kQuestion = {"remove {} ({})? [y/N] ", "{}({})을 지울까요? [y/N] "};
  fmt::print(stderr, fmt::runtime(kQuestion.in(language)), model.name, format_bytes(model.n_bytes));
  std::fflush(stderr);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes" || answer == "네" || answer == "예";
}

}  // namespace

Result<void> run_remove(const RemoveOptions& options) {
  JARIP_TRY(const ModelLibrary library, open_library());
  const auto model = library.find(options.name);
  if (model && !options.yes) {
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("there is nobody to ask whether to remove {}; --yes removes it",
                              options.name),
                  "yes");
    }
    if (!agrees(*model, options.language))
      return fail(ErrorCode::kCancelled, "nothing was removed");
  }
  JARIP_CHECK(library.remove(options.name));
  return print(fmt::format("{} removed\n", options.name));
}

}  // namespace jarip

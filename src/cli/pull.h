// `jarip pull`: fetches a model into the library, or lists what is worth fetching. Runs on the main
// thread.
#pragma once

#include <optional>
#include <string>

#include "app/model_catalogue.h"
#include "base/result.h"
#include "net/download.h"

namespace jarip {

struct PullOptions {
  std::optional<std::string> source;  // none: the catalogue is listed
  std::string name;
  std::string sha256;
  bool json = false;
};

// The answer goes to standard output, progress to standard error. Errors: those of pull_model().
[[nodiscard]] Result<void> run_pull(const PullOptions& options);

// The catalogue; marks what fits a machine of so much memory and its best choice.
[[nodiscard]] std::string catalogue_as_text(std::uint64_t n_memory_bytes, Language language);
[[nodiscard]] std::string catalogue_as_json(std::uint64_t n_memory_bytes);

// "1.2 of 4.6 GiB, 35.1 MiB/s, 1 min 40 s left": what is known of it.
[[nodiscard]] std::string describe_download(const DownloadProgress& progress, double seconds);

}  // namespace jarip

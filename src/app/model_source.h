// Where a model comes from: what a person writes behind `jarip pull`, understood. Values and free
// functions for any thread.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "base/language.h"
#include "base/result.h"

namespace jarip {

// The hub of models as the environment has it: HF_ENDPOINT (a mirror) and the token in HF_TOKEN, or
// in the file that its own tools keep it in (HF_TOKEN_PATH, HF_HOME).
struct Hub {
  std::string endpoint = "https://huggingface.co";
  std::string token;
  bool is_mirror = false;
};
[[nodiscard]] Hub hub_of(const Environment& environment);

// A file at an address.
struct UrlSource {
  std::string url;
  bool is_at_hub = false;  // where the hub's token belongs
};
// A repository of the hub, whose file is still to be chosen.
struct RepositorySource {
  std::string repository;  // "owner/name"
  std::string revision;
  std::string format;  // "Q4_K_M", in any case; empty: whichever is best to begin with
};
using ModelSource = std::variant<UrlSource, RepositorySource>;

// "hf:OWNER/REPO/FILE", "hf:OWNER/REPO", "hf:OWNER/REPO:Q4_K_M", each with @REVISION behind the
// repository if wanted; an address of the hub as a browser shows it; any other https address.
// Error: kInvalidArgument.
[[nodiscard]] Result<ModelSource> parse_model_source(std::string_view text, const Hub& hub);

// The address of a file in a repository.
[[nodiscard]] UrlSource file_of_repository(const RepositorySource& source, std::string_view file,
                                           const Hub& hub);
// Which file of a repository's listing (the hub's JSON) is meant. Errors: kNotFound, naming those
// there are; kUnsupported (split into parts); kCorrupt (no such listing).
[[nodiscard]] Result<std::string> choose_file(const RepositorySource& source,
                                              std::string_view listing);

// The name that a model from an address gets: its file's, without .gguf.
[[nodiscard]] std::string name_of_url(std::string_view url);

}  // namespace jarip

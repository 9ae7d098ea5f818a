#include "app/model_pull.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/model_catalogue.h"
#include "base/mapped_file.h"
#include "net/http_fetch.h"
#include "net/sha256.h"

namespace jarip {
namespace {

constexpr std::size_t kMostListingBytes = 16U << 20U;
constexpr std::size_t kHashBytes = 8U << 20U;

struct Address {
  std::string name;
  UrlSource at;
};

// The hub's token goes nowhere else, and over no connection that others can read.
bool may_have_token(const UrlSource& at) {
  return at.is_at_hub && (at.url.starts_with("https:") || is_this_machine(host_of(at.url)));
}

DownloadRequest request_of(const PullRequest& request, const UrlSource& at) {
  return {.url = at.url,
          .bearer_token = may_have_token(at) ? request.hub.token : "",
          // Whoever named a mirror, or knows the file's hash, needs no proof by TLS.
          .may_be_plain = !request.sha256.empty() || (at.is_at_hub && request.hub.is_mirror),
          .sha256 = request.sha256,
          .on_progress = request.on_progress,
          .should_stop = request.should_stop};
}

Result<Address> find_address(const PullRequest& request) {
  if (const CatalogueModel* known = find_in_catalogue(request.source)) {
    const RepositorySource at{
        .repository = std::string(known->repository), .revision = "main", .format = {}};
    return Address{std::string(known->name), file_of_repository(at, known->file, request.hub)};
  }
  JARIP_TRY(const ModelSource source, parse_model_source(request.source, request.hub));
  if (const auto* at = std::get_if<UrlSource>(&source)) {
    return Address{name_of_url(at->url), *at};
  }
  const auto& repository = std::get<RepositorySource>(source);
  const UrlSource listing{.url = fmt::format("{}/api/models/{}/revision/{}", request.hub.endpoint,
                                             repository.repository, repository.revision),
                          .is_at_hub = true};
  DownloadRequest asking = request_of(request, listing);
  asking.on_progress = {};
  JARIP_TRY(const std::string text, fetch_text(asking, kMostListingBytes));
  JARIP_TRY(const std::string file, choose_file(repository, text));
  UrlSource at = file_of_repository(repository, file, request.hub);
  return Address{name_of_url(at.url), std::move(at)};
}

Result<std::string> hash_of(const std::filesystem::path& path) {
  JARIP_TRY(const auto file, MappedFile::open(path));
  Sha256 digest;
  for (auto rest = file.bytes(); !rest.empty();) {
    const std::size_t n = std::min(rest.size(), kHashBytes);
    digest.add(rest.first(n));
    rest = rest.subspan(n);
  }
  return digest.finish();
}

// The model that has the name, if it is the file at the address.
Result<PulledModel> accept_existing(const DownloadRequest& request, const LibraryModel& model) {
  JARIP_TRY(const RemoteFile remote, ask_for_file(request));
  bool is_same = remote.n_bytes == model.n_bytes;
  if (is_same && !remote.sha256.empty()) {
    JARIP_TRY(const std::string sha256, hash_of(model.path));
    is_same = sha256 == remote.sha256;
  }
  if (is_same) {
    return PulledModel{.model = model, .sha256 = {}, .was_there = true, .was_checked = false};
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("another model has the name {} already: give a different --name, or "
                          "remove {} first",
                          model.name, model.path.native()),
              "name");
}

}  // namespace

Result<PulledModel> pull_model(const ModelLibrary& library, const PullRequest& request) {
  if (!request.sha256.empty() && !is_sha256(request.sha256)) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("\"{}\" is no SHA-256: one has 64 digits 0 to 9 and a to f", request.sha256),
        "sha256");
  }
  JARIP_TRY(const Address address, find_address(request));
  const std::string& name = request.name.empty() ? address.name : request.name;
  JARIP_TRY(const auto place, library.place_for_fetching(name));
  if (request.on_begin) request.on_begin(name, address.at.url);
  const DownloadRequest fetching = request_of(request, address.at);
  if (const auto existing = library.find(name)) return accept_existing(fetching, *existing);

  JARIP_TRY(PartialDownload file, PartialDownload::open(place));
  const auto done = download(fetching, file);
  if (!done) {
    if (file.n_bytes() == 0) file.remove();  // there is nothing to go on with
    return std::unexpected(done.error());
  }
  auto adopted = library.adopt_file(place, name);
  const auto is_no_model = [](ErrorCode code) {
    return code == ErrorCode::kCorrupt || code == ErrorCode::kUnsupported;
  };
  if (adopted || is_no_model(adopted.error().code)) file.remove();
  if (!adopted) return std::unexpected(std::move(adopted).error());
  return PulledModel{.model = std::move(adopted->model),
                     .sha256 = done->sha256,
                     .was_there = adopted->was_there,
                     .was_checked = done->was_checked};
}

}  // namespace jarip

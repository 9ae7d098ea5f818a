// A model fetched from the hub or an address into the models folder. Blocks the calling thread.
#pragma once

#include <functional>
#include <string>

#include "app/model_source.h"
#include "base/result.h"
#include "model/library.h"
#include "net/download.h"

namespace jarip {

struct PullRequest {
  std::string source;       // a name of the catalogue, or as parse_model_source() takes it
  std::string name = {};    // to give the model; empty: the catalogue's, or the file's
  std::string sha256 = {};  // that the file must have; empty: what the server tells, if it does
  Hub hub = {};
  // Once the address is known, before anything is fetched.
  std::function<void(const std::string& name, const std::string& url)> on_begin = {};
  std::function<void(const DownloadProgress&)> on_progress = {};
  std::function<bool()> should_stop = {};
};

struct PulledModel {
  LibraryModel model;
  std::string sha256;  // empty when nothing was fetched
  bool was_there = false;
  bool was_checked = false;  // against a SHA-256 known before
};

// A model that has the name already stays: the same file is fine, another an error. Errors: those
// of parse_model_source(), choose_file(), download() and ModelLibrary::adopt_file().
[[nodiscard]] Result<PulledModel> pull_model(const ModelLibrary& library,
                                             const PullRequest& request);

}  // namespace jarip

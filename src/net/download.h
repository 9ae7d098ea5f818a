// Files fetched over HTTP and HTTPS. A cut connection is made again, a file that was fetched in
// part is gone on with, and the bytes are held against a SHA-256 where one is known. Proxies come
// from the environment, as curl(1) takes them: https_proxy, all_proxy, no_proxy. Free functions
// that block the calling thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"
#include "net/partial_download.h"

namespace jarip {

struct DownloadProgress {
  std::uint64_t n_done = 0;         // bytes, with those that were there before
  std::uint64_t n_from_before = 0;  // of them
  std::uint64_t n_bytes = 0;        // of the whole; 0: not known
  std::string trouble = {};         // why nothing comes just now; empty: it does
};

struct DownloadRequest {
  std::string url;
  std::string bearer_token = {};  // told to the host of the url and no other
  bool may_be_plain = false;      // without TLS from other machines than this one
  std::string sha256 = {};        // of the file; empty: what the server says, if it does
  std::function<void(const DownloadProgress&)> on_progress = {};
  std::function<bool()> should_stop = {};  // asked about once a second at least
  std::chrono::seconds stall{30};          // without a byte, after which a connection counts as cut
};

struct DownloadedFile {
  std::uint64_t n_bytes = 0;
  std::string sha256;        // of the bytes
  bool was_checked = false;  // against one known before
};

// What there is at the address, without fetching it. Errors: as download().
[[nodiscard]] Result<RemoteFile> ask_for_file(const DownloadRequest& request);

// Fetches into the file, whose bytes from before stay where they still belong to it. Whatever
// fails, what has come stays for the next time, unless it is known to be wrong. Errors:
// kInvalidArgument (no http address, or one without TLS), kNotFound, kForbidden (the server wants a
// token or refuses it), kUnavailable (no connection, or it doesn't hold), kCorrupt (not the bytes
// that were to come; they are dropped), kCancelled, kIo.
[[nodiscard]] Result<DownloadedFile> download(const DownloadRequest& request,
                                              PartialDownload& file);

// A short text. Errors: as download(), and kTooLarge.
[[nodiscard]] Result<std::string> fetch_text(const DownloadRequest& request, std::size_t max_bytes);

}  // namespace jarip

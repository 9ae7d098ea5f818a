// One request to a server by HTTP or HTTPS, redirects followed: what download.h is made of. Owned
// by one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace jarip {

// Of the last answer of a chain of redirects; the hub's own marks come with an earlier one.
struct FetchHead {
  int status = 0;
  std::string etag;
  std::string hub_etag;                        // X-Linked-Etag: of large files, their SHA-256
  std::optional<std::uint64_t> n_bytes;        // Content-Length
  std::optional<std::uint64_t> range_begin;    // Content-Range
  std::optional<std::uint64_t> n_whole_bytes;  // likewise, behind the slash
  std::optional<std::uint32_t> retry_after_s;

  // Takes one line of a head in.
  void read_line(std::string_view line);
};

struct FetchRequest {
  std::string url;
  std::string bearer_token;  // told to the host of the url and no other
  std::string range;         // of bytes: "17-", "0-0"; empty: all
  std::string if_range;      // the etag under which the range holds
  std::chrono::seconds stall{30};
  // Each piece of the body, of answers that bring what was asked for; false ends the request.
  std::function<bool(const FetchHead&, std::span<const std::byte>)> on_bytes;
  std::function<bool()> should_stop;  // may be empty
};

struct FetchOutcome {
  FetchHead head;
  bool was_ended = false;      // by on_bytes
  std::string trouble;         // the connection's; empty: the answer came whole
  bool may_be_passing = true;  // trouble that another try may not have
};

// Errors: kInvalidArgument (no address), kCancelled. What the server or the network does is an
// outcome.
[[nodiscard]] Result<FetchOutcome> fetch(const FetchRequest& request);

// The host in an address; empty when it is none of http or https.
[[nodiscard]] std::string host_of(const std::string& url);
[[nodiscard]] bool is_this_machine(std::string_view host);

}  // namespace jarip

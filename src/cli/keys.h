// `jarip keys create|list|revoke`: who may use a server. Runs on the main thread; servers that run
// see the change with the next request.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/key_store.h"

namespace jarip {

struct KeysCreateOptions {
  std::string name;
  std::vector<std::string> scopes;  // none: inference
  std::optional<std::string> expires_in;
  std::optional<std::int64_t> requests_per_minute;
  std::optional<std::int64_t> tokens_per_minute;
  std::optional<std::int64_t> token_limit;
  std::uint32_t weight = 1;
};

struct KeysListOptions {
  bool json = false;
};

struct KeysRevokeOptions {
  std::string key;  // its prefix, its name, or all of it
};

inline constexpr std::uint32_t kMaxKeyWeight = 1000;

// The key goes to standard output, what a person should know of it to standard error.
[[nodiscard]] Result<void> run_keys_create(const KeysCreateOptions& options);
[[nodiscard]] Result<void> run_keys_list(const KeysListOptions& options);
[[nodiscard]] Result<void> run_keys_revoke(const KeysRevokeOptions& options);

// "30d", "12h", "90m": seconds. Error: kInvalidArgument.
[[nodiscard]] Result<std::int64_t> parse_lifetime(std::string_view text);
// The one key that is meant. Errors: kNotFound, kInvalidArgument when several have the name.
[[nodiscard]] Result<const KeyRecord*> choose_key(std::span<const KeyRecord> keys,
                                                  std::string_view text);
[[nodiscard]] std::string keys_as_text(std::span<const KeyRecord> keys, std::int64_t now);
[[nodiscard]] std::string keys_as_json(std::span<const KeyRecord> keys, std::int64_t now);

}  // namespace jarip

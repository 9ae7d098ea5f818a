// What a key is made of: "jarip_", eight hexadecimal digits that are public, "_", and 256 random
// bits in 64 digits. Free functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/key_store.h"

namespace jarip {

struct ApiKey {
  std::string text;    // the secret: shown once, stored nowhere
  std::string prefix;  // "jarip_0123abcd"
  KeyHash hash{};      // SHA-256 of the text
};

// Error: kUnavailable when the system has no randomness to give.
[[nodiscard]] Result<ApiKey> make_api_key();

// The public part of a well-formed key; nothing of any other text.
[[nodiscard]] std::optional<std::string_view> prefix_of_key(std::string_view text);
[[nodiscard]] bool is_key_prefix(std::string_view text);

// Whether this is the text that was hashed; takes as long whatever it says.
[[nodiscard]] bool key_matches(std::string_view text, const KeyHash& hash);

}  // namespace jarip

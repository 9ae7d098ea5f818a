#include "app/api_key.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <span>

namespace jarip {
namespace {

constexpr std::string_view kMark = "jarip_";
constexpr std::size_t kPublicBytes = 4;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kPrefixLength = kMark.size() + 2 * kPublicBytes;
constexpr std::size_t kLength = kPrefixLength + 1 + 2 * kSecretBytes;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string hex(std::span<const unsigned char> bytes) {
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

KeyHash hash_of(std::string_view text) {
  KeyHash hash{};
  static_assert(sizeof(KeyHash) == SHA256_DIGEST_LENGTH);
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

}  // namespace

Result<ApiKey> make_api_key() {
  std::array<unsigned char, kPublicBytes + kSecretBytes> random{};
  if (::RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return fail(ErrorCode::kUnavailable, "the system has no randomness to make a key of");
  }
  const std::span<const unsigned char> bytes(random);
  ApiKey key;
  key.prefix = std::string(kMark) + hex(bytes.first(kPublicBytes));
  key.text = key.prefix + "_" + hex(bytes.subspan(kPublicBytes));
  key.hash = hash_of(key.text);
  return key;
}

bool is_key_prefix(std::string_view text) {
  return text.size() == kPrefixLength && text.starts_with(kMark) &&
         is_hex(text.substr(kMark.size()));
}

std::optional<std::string_view> prefix_of_key(std::string_view text) {
  if (text.size() != kLength) return std::nullopt;
  const std::string_view prefix = text.substr(0, kPrefixLength);
  if (!is_key_prefix(prefix) || text[kPrefixLength] != '_' ||
      !is_hex(text.substr(kPrefixLength + 1))) {
    return std::nullopt;
  }
  return prefix;
}

bool key_matches(std::string_view text, const KeyHash& hash) {
  const KeyHash given = hash_of(text);
  return ::CRYPTO_memcmp(given.data(), hash.data(), hash.size()) == 0;
}

}  // namespace jarip

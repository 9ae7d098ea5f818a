// The keys that clients show and what was used with them, in a file below jarip's home. What a key
// says isn't here, only its hash. A KeyStore belongs to one thread at a time, its owner's; any
// number of them, in any number of processes, may have the same file open.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/database.h"

namespace jarip {

using KeyId = std::int64_t;  // 1, 2, …; 0 stands for nobody
using KeyHash = std::array<std::byte, 32>;

// Bits of KeyTerms::scopes.
enum class KeyScope : std::uint32_t { kInference = 1, kAdmin = 2 };

struct KeyTerms {
  std::string name = {};     // for people; may be empty
  std::uint32_t scopes = 0;  // KeyScope bits
  std::optional<std::int64_t> expires = {};
  std::optional<std::int64_t> requests_per_minute = {};
  std::optional<std::int64_t> tokens_per_minute = {};
  std::optional<std::int64_t> token_limit = {};  // of prompts and answers, for good
  std::int64_t weight = 1;                       // share of a busy machine
};

struct KeyUse {
  std::int64_t requests = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t output_tokens = 0;

  KeyUse& operator+=(const KeyUse& other);
  [[nodiscard]] std::int64_t tokens() const { return prompt_tokens + output_tokens; }
};

struct KeyRecord {
  KeyId id = 0;
  std::string prefix;  // public, and no other key's
  KeyHash hash{};
  KeyTerms terms;
  std::int64_t created = 0;  // Unix seconds, as all times here
  std::optional<std::int64_t> revoked = {};
  KeyUse use;

  [[nodiscard]] bool has(KeyScope scope) const {
    return (terms.scopes & static_cast<std::uint32_t>(scope)) != 0;
  }
};

class KeyStore {
 public:
  // Where the file is below jarip's home.
  [[nodiscard]] static std::filesystem::path path_in(const std::filesystem::path& home);

  // Errors: as Database::open().
  [[nodiscard]] static Result<KeyStore> open(const std::filesystem::path& path, OpenMode mode,
                                             const char* vfs = nullptr);
  ~KeyStore();
  KeyStore(KeyStore&& other) noexcept;
  KeyStore& operator=(KeyStore&& other) noexcept;

  // On the disk when it returns. Error: kInvalidArgument when the prefix is taken.
  [[nodiscard]] Result<KeyId> add(std::string_view prefix, const KeyHash& hash,
                                  const KeyTerms& terms, std::int64_t now);
  // False when it was revoked before. On the disk when it returns.
  [[nodiscard]] Result<bool> revoke(KeyId id, std::int64_t now);
  // All of it or nothing; on the disk when it returns.
  [[nodiscard]] Result<void> add_use(std::span<const std::pair<KeyId, KeyUse>> uses);

  [[nodiscard]] Result<std::optional<KeyRecord>> find(std::string_view prefix);
  [[nodiscard]] Result<std::vector<KeyRecord>> list();  // oldest first
  [[nodiscard]] Result<bool> is_empty();                // no key was ever made
  [[nodiscard]] Result<bool> is_revoked(KeyId id);
  // Changes whenever somebody else has changed the file.
  [[nodiscard]] Result<std::int64_t> version();

 private:
  struct Statements;
  explicit KeyStore(std::unique_ptr<Database> database);

  // In this order: statements go first.
  std::unique_ptr<Database> database_;
  std::unique_ptr<Statements> statements_;
};

}  // namespace jarip

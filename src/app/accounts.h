// Who may use the server, and how much: the one place where keys are judged and their use counted.
// Owned by the command that serves; safe from any thread. What a key may do is read from the file
// each time, so that what a command changes holds at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/rate_budget.h"
#include "app/usage_ledger.h"
#include "base/result.h"
#include "store/key_store.h"

namespace jarip {

// What is left of a rate, as clients are told.
struct Allowance {
  std::int64_t limit = 0;  // a minute
  std::int64_t left = 0;
  double full_in_s = 0;
};

struct KeyRates {
  std::optional<Allowance> requests = {};
  std::optional<Allowance> tokens = {};
};

struct Admission {
  KeyId key = 0;            // 0: no keys are needed here
  std::string prefix = {};  // of the key
  std::uint32_t weight = 1;
  KeyRates rates = {};
};

enum class RejectReason : std::uint8_t {
  kMissing,
  kMalformed,  // two keys, or a header that holds none
  kUnknown,
  kRevoked,
  kExpired,
  kScope,
  kRequestRate,
  kTokenRate,
  kTokenLimit,
  kStore,
};

struct Rejection {
  RejectReason reason = RejectReason::kUnknown;
  Error error = {};
  std::string prefix = {};  // when the key is known
  KeyRates rates = {};
  std::optional<double> retry_after_s = {};
};

struct AccountsOptions {
  std::filesystem::path path;                   // of the keys; need not exist
  bool open_without_keys = false;               // as long as no key was ever made, none is needed
  std::function<std::int64_t()> unix_now = {};  // for tests
  std::function<std::chrono::steady_clock::time_point()> steady_now = {};  // for tests
};

class Accounts {
 public:
  explicit Accounts(AccountsOptions options);

  // Whether this key may do what needs this scope. counts: it is a request in the key's rates.
  // Waits for the disk at most.
  [[nodiscard]] std::expected<Admission, Rejection> admit(std::string_view key, KeyScope scope,
                                                          bool counts);

  // What an answer has used, however it ended. Never waits. done: as UsageLedger's.
  void count_use(KeyId id, std::int64_t prompt_tokens, std::int64_t output_tokens,
                 UsageLedger::Done done);

  // Those of these keys that may do nothing any more. Looks them up only if the file has changed
  // since the last time, or if some of them are new.
  [[nodiscard]] std::vector<KeyId> revoked_among(std::span<const KeyId> keys, bool some_are_new);

 private:
  struct Budgets {
    std::optional<RateBudget> requests;
    std::optional<RateBudget> tokens;
  };
  using Verdict = std::expected<void, Rejection>;

  // These hold disk_mutex_.
  Result<bool> needs_no_key();
  Result<void> open();
  std::expected<KeyRecord, Rejection> find(std::string_view key);
  std::expected<KeyRecord, Rejection> find_with_use(std::string_view key);

  Verdict check_standing(const KeyRecord& record, KeyScope scope) const;
  Verdict spend_request(const KeyRecord& record, KeyRates& rates);
  Verdict check_token_limit(const KeyRecord& record) const;
  std::int64_t unstored_tokens_of(KeyId id);
  void count_stored(KeyId id, const KeyUse& use);

  // These hold mutex_.
  Budgets& budgets_of(const KeyRecord& record);
  KeyRates rates_of(Budgets& budgets) const;

  AccountsOptions options_;
  std::mutex disk_mutex_;  // taken first, and not by count_use(): the engine never waits for a disk
  std::optional<KeyStore> keys_;
  bool has_keys_ = false;
  std::int64_t seen_version_ = -1;  // by revoked_among()
  std::mutex mutex_;
  std::map<KeyId, Budgets> budgets_;
  std::map<KeyId, std::int64_t> unstored_tokens_;
  UsageLedger ledger_;  // last: its thread calls count_stored()
};

}  // namespace jarip

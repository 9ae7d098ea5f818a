#include "app/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <utility>

#include "app/api_key.h"

namespace jarip {
namespace {

std::unexpected<Rejection> reject(RejectReason reason, ErrorCode code, std::string message,
                                  std::string prefix = {}) {
  return std::unexpected(Rejection{
      .reason = reason, .error = {code, std::move(message), {}}, .prefix = std::move(prefix)});
}

std::unexpected<Rejection> reject_store(const Error& error) {
  return reject(RejectReason::kStore, ErrorCode::kUnavailable,
                "keys can't be checked now: " + error.message);
}

Allowance allowance_of(RateBudget& budget, RateBudget::Time now) {
  return {
      .limit = budget.per_minute(),
      .left = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(budget.left(now)))),
      .full_in_s = budget.until_full(now).count()};
}

// A changed limit begins anew.
void set_budget(std::optional<RateBudget>& budget, std::optional<std::int64_t> per_minute,
                RateBudget::Time now) {
  if (!per_minute) {
    budget.reset();
  } else if (!budget || budget->per_minute() != *per_minute) {
    budget.emplace(*per_minute, now);
  }
}

}  // namespace

Accounts::Accounts(AccountsOptions options)
    : options_(std::move(options)),
      ledger_(options_.path, [this](KeyId id, const KeyUse& use) { count_stored(id, use); }) {
  if (!options_.unix_now) options_.unix_now = [] { return std::int64_t{std::time(nullptr)}; };
  if (!options_.steady_now) options_.steady_now = [] { return std::chrono::steady_clock::now(); };
}

std::expected<Admission, Rejection> Accounts::admit(std::string_view key, KeyScope scope,
                                                    bool counts) {
  const std::lock_guard disk_lock(disk_mutex_);
  const Result<bool> is_open = needs_no_key();
  if (!is_open) return reject_store(is_open.error());
  if (*is_open) return Admission{};
  const auto record = find_with_use(key);
  if (!record) return std::unexpected(record.error());
  if (auto standing = check_standing(*record, scope); !standing) {
    return std::unexpected(std::move(standing).error());
  }
  Admission admission{.key = record->id,
                      .prefix = record->prefix,
                      .weight = static_cast<std::uint32_t>(record->terms.weight)};
  if (!counts) return admission;
  if (ledger_.is_failing()) {
    return reject(RejectReason::kStore, ErrorCode::kUnavailable,
                  "what keys use can't be stored now; is the disk full?", record->prefix);
  }
  if (auto within = check_token_limit(*record); !within) {
    return std::unexpected(std::move(within).error());
  }
  if (auto spent = spend_request(*record, admission.rates); !spent) {
    return std::unexpected(std::move(spent).error());
  }
  return admission;
}

Result<bool> Accounts::needs_no_key() {
  if (options_.open_without_keys && !has_keys_) {
    std::error_code error;
    if (!keys_ && !std::filesystem::exists(options_.path, error) && !error) return true;
    JARIP_CHECK(open());
    JARIP_TRY(const bool is_empty, keys_->is_empty());
    if (is_empty) return true;
    has_keys_ = true;
  }
  JARIP_CHECK(open());
  return false;
}

Result<void> Accounts::open() {
  if (keys_) return {};
  JARIP_TRY(keys_, KeyStore::open(options_.path, OpenMode::kExisting));
  return {};
}

std::expected<KeyRecord, Rejection> Accounts::find(std::string_view key) {
  if (key.empty()) {
    return reject(RejectReason::kMissing, ErrorCode::kUnauthorized,
                  "this server needs a key: send it as \"Authorization: Bearer KEY\"");
  }
  constexpr const char* kUnknown = "this key isn't known here";
  const auto prefix = prefix_of_key(key);
  if (!prefix) return reject(RejectReason::kUnknown, ErrorCode::kUnauthorized, kUnknown);
  auto found = keys_->find(*prefix);
  if (!found) return reject_store(found.error());
  if (!*found || !key_matches(key, (*found)->hash)) {
    return reject(RejectReason::kUnknown, ErrorCode::kUnauthorized, kUnknown);
  }
  return std::move(**found);
}

Accounts::Verdict Accounts::check_standing(const KeyRecord& record, KeyScope scope) const {
  if (record.revoked) {
    return reject(RejectReason::kRevoked, ErrorCode::kUnauthorized, "this key was revoked",
                  record.prefix);
  }
  if (record.terms.expires && *record.terms.expires <= options_.unix_now()) {
    return reject(RejectReason::kExpired, ErrorCode::kUnauthorized, "this key has expired",
                  record.prefix);
  }
  if (!record.has(scope)) {
    return reject(RejectReason::kScope, ErrorCode::kForbidden,
                  fmt::format("this key hasn't the scope \"{}\" that this needs",
                              scope == KeyScope::kAdmin ? "admin" : "inference"),
                  record.prefix);
  }
  return {};
}

// Use moves from unstored_tokens_ to the file at some moment. Asking in this order may see some of
// it in both places, but never in neither.
std::expected<KeyRecord, Rejection> Accounts::find_with_use(std::string_view key) {
  auto record = find(key);
  if (!record || !record->terms.token_limit) return record;
  const std::int64_t unstored = unstored_tokens_of(record->id);
  record = find(key);
  if (record) record->use.output_tokens += unstored;
  return record;
}

std::int64_t Accounts::unstored_tokens_of(KeyId id) {
  const std::lock_guard lock(mutex_);
  const auto found = unstored_tokens_.find(id);
  return found == unstored_tokens_.end() ? 0 : found->second;
}

Accounts::Verdict Accounts::check_token_limit(const KeyRecord& record) const {
  if (!record.terms.token_limit || record.use.tokens() < *record.terms.token_limit) return {};
  return reject(RejectReason::kTokenLimit, ErrorCode::kLimitReached,
                fmt::format("this key has used {} of its {} tokens", record.use.tokens(),
                            *record.terms.token_limit),
                record.prefix);
}

Accounts::Verdict Accounts::spend_request(const KeyRecord& record, KeyRates& rates) {
  const std::lock_guard lock(mutex_);
  const RateBudget::Time now = options_.steady_now();
  Budgets& budgets = budgets_of(record);
  const auto reject_rate = [&](RejectReason reason, const char* what, RateBudget& budget) {
    const double wait = budget.until(1, now).count();
    auto rejection = reject(reason, ErrorCode::kLimitReached,
                            fmt::format("this key may have {} {} a minute; try again in {:.1f} s",
                                        budget.per_minute(), what, wait),
                            record.prefix);
    rejection.error().rates = rates_of(budgets);
    rejection.error().retry_after_s = wait;
    return rejection;
  };
  if (budgets.tokens && budgets.tokens->left(now) < 1) {
    return reject_rate(RejectReason::kTokenRate, "tokens", *budgets.tokens);
  }
  if (budgets.requests && budgets.requests->left(now) < 1) {
    return reject_rate(RejectReason::kRequestRate, "requests", *budgets.requests);
  }
  if (budgets.requests) budgets.requests->spend(1, now);
  rates = rates_of(budgets);
  return {};
}

Accounts::Budgets& Accounts::budgets_of(const KeyRecord& record) {
  const RateBudget::Time now = options_.steady_now();
  Budgets& budgets = budgets_[record.id];
  set_budget(budgets.requests, record.terms.requests_per_minute, now);
  set_budget(budgets.tokens, record.terms.tokens_per_minute, now);
  return budgets;
}

KeyRates Accounts::rates_of(Budgets& budgets) const {
  const RateBudget::Time now = options_.steady_now();
  KeyRates rates;
  if (budgets.requests) rates.requests = allowance_of(*budgets.requests, now);
  if (budgets.tokens) rates.tokens = allowance_of(*budgets.tokens, now);
  return rates;
}

void Accounts::count_use(KeyId id, std::int64_t prompt_tokens, std::int64_t output_tokens,
                         UsageLedger::Done done) {
  const KeyUse use{.requests = 1, .prompt_tokens = prompt_tokens, .output_tokens = output_tokens};
  {
    const std::lock_guard lock(mutex_);
    unstored_tokens_[id] += use.tokens();
    if (const auto found = budgets_.find(id); found != budgets_.end() && found->second.tokens) {
      found->second.tokens->spend(static_cast<double>(use.tokens()), options_.steady_now());
    }
  }
  ledger_.add(id, use, std::move(done));
}

void Accounts::count_stored(KeyId id, const KeyUse& use) {
  const std::lock_guard lock(mutex_);
  unstored_tokens_[id] -= use.tokens();
}

std::vector<KeyId> Accounts::revoked_among(std::span<const KeyId> keys, bool some_are_new) {
  const std::lock_guard lock(disk_mutex_);
  std::vector<KeyId> revoked;
  if (!keys_) return revoked;
  const auto version = keys_->version();
  // What can't be read now is asked for again next time.
  if (!version || (*version == seen_version_ && !some_are_new)) return revoked;
  for (const KeyId id : keys) {
    const auto is_revoked = keys_->is_revoked(id);
    if (!is_revoked) {
      seen_version_ = -1;
      return revoked;
    }
    if (*is_revoked) revoked.push_back(id);
  }
  seen_version_ = *version;
  return revoked;
}

}  // namespace jarip

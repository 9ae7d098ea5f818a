#include "cli/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <utility>

#include "app/api_key.h"
#include "base/home.h"
#include "base/utf8.h"
#include "cli/output.h"

namespace jarip {
namespace {

constexpr std::size_t kMaxName = 64;  // bytes
constexpr std::int64_t kMaxLifetime = std::int64_t{100} * 366 * 24 * 60 * 60;
constexpr int kMaxTries = 16;  // of a prefix that another key has already

struct ScopeRow {
  std::string_view name;
  KeyScope scope;
};
constexpr ScopeRow kScopes[] = {{"inference", KeyScope::kInference}, {"admin", KeyScope::kAdmin}};

Result<KeyStore> open_keys(OpenMode mode) {
  JARIP_TRY(const auto home, home_folder([](const char* name) { return std::getenv(name); }));
  return KeyStore::open(KeyStore::path_in(home), mode);
}

std::int64_t unix_now() { return std::int64_t{std::time(nullptr)}; }

Result<std::uint32_t> read_scopes(std::span<const std::string> names) {
  if (names.empty()) return static_cast<std::uint32_t>(KeyScope::kInference);
  std::uint32_t scopes = 0;
  for (const std::string& name : names) {
    const auto* row = std::ranges::find(kScopes, std::string_view(name), &ScopeRow::name);
    if (row == std::end(kScopes)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--scope is \"{}\", but must be inference or admin", name), "scope");
    }
    scopes |= static_cast<std::uint32_t>(row->scope);
  }
  return scopes;
}

Result<void> check_name(std::string_view name) {
  if (name.size() <= kMaxName && excerpt(name, kMaxName) == name) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("--name must be at most {} bytes on one line", kMaxName), "name");
}

std::string scope_names(const KeyRecord& key) {
  std::string names;
  for (const ScopeRow& row : kScopes) {
    if (!key.has(row.scope)) continue;
    if (!names.empty()) names += ' ';
    names += row.name;
  }
  return names;
}

std::string_view state_of(const KeyRecord& key, std::int64_t now) {
  if (key.revoked) return "revoked";
  return key.terms.expires && *key.terms.expires <= now ? "expired" : "good";
}

// In UTC, so that it means the same wherever it is read.
std::string format_date(std::optional<std::int64_t> unix_seconds) {
  if (!unix_seconds) return "-";
  const auto time = static_cast<std::time_t>(*unix_seconds);
  std::tm parts{};
  if (::gmtime_r(&time, &parts) == nullptr) return "-";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min);
}

std::string format_limit(std::optional<std::int64_t> limit) {
  return limit ? format_count(static_cast<std::uint64_t>(*limit)) : "-";
}

boost::json::value json_number(std::optional<std::int64_t> number) {
  return number ? boost::json::value(*number) : boost::json::value(nullptr);
}

}  // namespace

Result<std::int64_t> parse_lifetime(std::string_view text) {
  constexpr std::pair<char, std::int64_t> kUnits[] = {{'m', 60}, {'h', 3600}, {'d', 86400}};
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool has_unit = error == std::errc() && end + 1 == text.data() + text.size();
  const auto* unit = has_unit
                         ? std::ranges::find(kUnits, *end, &std::pair<char, std::int64_t>::first)
                         : std::end(kUnits);
  if (unit == std::end(kUnits) || count <= 0 || count > kMaxLifetime / unit->second) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--expires-in is \"{}\", but must be like 30d, 12h or 90m, and at most "
                            "100 years",
                            text),
                "expires-in");
  }
  return count * unit->second;
}

Result<const KeyRecord*> choose_key(std::span<const KeyRecord> keys, std::string_view text) {
  const std::string_view prefix = prefix_of_key(text).value_or(text);
  const KeyRecord* found = nullptr;
  for (const KeyRecord& key : keys) {
    if (key.prefix == prefix) return &key;
    if (text.empty() || key.terms.name != text || key.revoked) continue;
    if (found != nullptr) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("several keys have the name \"{}\"; say which by its prefix, such as "
                              "{}",
                              text, key.prefix));
    }
    found = &key;
  }
  if (found != nullptr) return found;
  // Never repeats what may be a secret.
  return fail(ErrorCode::kNotFound,
              "there is no such key; `jarip keys list` shows the prefixes and names there are");
}

std::string keys_as_text(std::span<const KeyRecord> keys, std::int64_t now) {
  std::vector<std::vector<std::string>> rows;
  for (const KeyRecord& key : keys) {
    rows.push_back({key.prefix, std::string(state_of(key, now)), scope_names(key),
                    format_limit(key.terms.requests_per_minute),
                    format_limit(key.terms.tokens_per_minute), format_limit(key.terms.weight),
                    format_limit(key.use.requests), format_limit(key.use.tokens()),
                    format_limit(key.terms.token_limit), format_date(key.created),
                    format_date(key.terms.expires), key.terms.name.empty() ? "-" : key.terms.name});
  }
  return format_table({{"key"},
                       {"state"},
                       {"scopes"},
                       {"requests/min", Align::kRight},
                       {"tokens/min", Align::kRight},
                       {"weight", Align::kRight},
                       {"answers", Align::kRight},
                       {"tokens", Align::kRight},
                       {"of", Align::kRight},
                       {"created"},
                       {"expires"},
                       {"name"}},
                      rows);
}

std::string keys_as_json(std::span<const KeyRecord> keys, std::int64_t now) {
  boost::json::array rows;
  for (const KeyRecord& key : keys) {
    boost::json::array scopes;
    for (const ScopeRow& row : kScopes) {
      if (key.has(row.scope)) scopes.emplace_back(std::string(row.name));
    }
    rows.push_back(
        boost::json::object{{"key", key.prefix},
                            {"name", key.terms.name},
                            {"state", std::string(state_of(key, now))},
                            {"scopes", std::move(scopes)},
                            {"requests_per_minute", json_number(key.terms.requests_per_minute)},
                            {"tokens_per_minute", json_number(key.terms.tokens_per_minute)},
                            {"token_limit", json_number(key.terms.token_limit)},
                            {"weight", key.terms.weight},
                            {"created", key.created},
                            {"expires", json_number(key.terms.expires)},
                            {"revoked", json_number(key.revoked)},
                            {"answers", key.use.requests},
                            {"prompt_tokens", key.use.prompt_tokens},
                            {"output_tokens", key.use.output_tokens}});
  }
  return boost::json::serialize(rows) + "\n";
}

Result<void> run_keys_create(const KeysCreateOptions& options) {
  const std::int64_t now = unix_now();
  KeyTerms terms{.name = options.name,
                 .requests_per_minute = options.requests_per_minute,
                 .tokens_per_minute = options.tokens_per_minute,
                 .token_limit = options.token_limit,
                 .weight = options.weight};
  JARIP_CHECK(check_name(options.name));
  JARIP_TRY(terms.scopes, read_scopes(options.scopes));
  if (options.expires_in) {
    JARIP_TRY(const std::int64_t lifetime, parse_lifetime(*options.expires_in));
    terms.expires = now + lifetime;
  }
  JARIP_TRY(KeyStore keys, open_keys(OpenMode::kCreate));
  for (int i = 0; i < kMaxTries; ++i) {
    JARIP_TRY(const ApiKey key, make_api_key());
    const auto added = keys.add(key.prefix, key.hash, terms, now);
    if (!added && added.error().code == ErrorCode::kInvalidArgument) continue;
    if (!added) return std::unexpected(added.error());
    fmt::print(stderr,
               "jarip: this key is shown once and stored nowhere; `jarip keys revoke {}` ends it\n",
               key.prefix);
    return print(key.text + "\n");
  }
  return fail(ErrorCode::kInternal, "no prefix is free for another key");
}

Result<void> run_keys_list(const KeysListOptions& options) {
  std::vector<KeyRecord> records;
  auto keys = open_keys(OpenMode::kExisting);
  if (keys) {
    JARIP_TRY(records, keys->list());
  } else if (keys.error().code != ErrorCode::kNotFound) {
    return std::unexpected(std::move(keys).error());
  }
  if (options.json) return print(keys_as_json(records, unix_now()));
  if (!records.empty()) return print(keys_as_text(records, unix_now()));
  fmt::print(stderr, "jarip: there are no keys yet: `jarip keys create --name NAME` makes one\n");
  return {};
}

Result<void> run_keys_revoke(const KeysRevokeOptions& options) {
  std::vector<KeyRecord> records;
  auto keys = open_keys(OpenMode::kExisting);
  if (keys) {
    JARIP_TRY(records, keys->list());
  } else if (keys.error().code != ErrorCode::kNotFound) {
    return std::unexpected(std::move(keys).error());
  }
  JARIP_TRY(const KeyRecord* key, choose_key(records, options.key));
  JARIP_TRY(const bool is_new, keys->revoke(key->id, unix_now()));
  fmt::print(stderr, "jarip: {} {}\n", key->prefix,
             is_new ? "is revoked; nothing more is answered to it" : "was revoked before");
  return {};
}

}  // namespace jarip

#include "store/key_store.h"

#include <algorithm>
#include <utility>

namespace jarip {
namespace {

// Each brings the file's form one version further; what a release has shipped never changes.
constexpr const char* kMigrations[] = {
    R"(CREATE TABLE keys (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         prefix TEXT NOT NULL UNIQUE,
         hash BLOB NOT NULL CHECK (length(hash) = 32),
         name TEXT NOT NULL,
         scopes INTEGER NOT NULL,
         created INTEGER NOT NULL,
         expires INTEGER,
         revoked INTEGER,
         requests_per_minute INTEGER CHECK (requests_per_minute > 0),
         tokens_per_minute INTEGER CHECK (tokens_per_minute > 0),
         token_limit INTEGER CHECK (token_limit > 0),
         weight INTEGER NOT NULL CHECK (weight > 0)
       ) STRICT;
       CREATE TABLE key_use (
         key_id INTEGER PRIMARY KEY REFERENCES keys (id),
         requests INTEGER NOT NULL,
         prompt_tokens INTEGER NOT NULL,
         output_tokens INTEGER NOT NULL
       ) STRICT;)",
};

constexpr DatabaseSchema kSchema{
    .what = "keys", .application_id = 0x6A726B79, .migrations = kMigrations};  // "jrky"

// In the order in which record_of() reads them.
const std::string kSelect =
    "SELECT id, prefix, hash, name, scopes, created, expires, revoked, requests_per_minute,"
    " tokens_per_minute, token_limit, weight, coalesce(requests, 0), coalesce(prompt_tokens, 0),"
    " coalesce(output_tokens, 0) FROM keys LEFT JOIN key_use ON key_id = id ";

Result<KeyRecord> record_of(const Row& row) {
  KeyRecord record;
  record.id = row.integer(0);
  record.prefix = row.text(1);
  const auto hash = row.blob(2);
  if (hash.size() != record.hash.size()) {
    return fail(ErrorCode::kCorrupt, "the record of a key is damaged", record.prefix);
  }
  std::ranges::copy(hash, record.hash.begin());
  record.terms.name = row.text(3);
  record.terms.scopes = static_cast<std::uint32_t>(row.integer(4));
  record.created = row.integer(5);
  record.terms.expires = row.optional_integer(6);
  record.revoked = row.optional_integer(7);
  record.terms.requests_per_minute = row.optional_integer(8);
  record.terms.tokens_per_minute = row.optional_integer(9);
  record.terms.token_limit = row.optional_integer(10);
  record.terms.weight = row.integer(11);
  record.use = {row.integer(12), row.integer(13), row.integer(14)};
  return record;
}

}  // namespace

struct KeyStore::Statements {
  Statement add;
  Statement revoke;
  Statement add_use;
  Statement find;
  Statement list;
  Statement any;
  Statement is_revoked;
  Statement version;
};

KeyUse& KeyUse::operator+=(const KeyUse& other) {
  requests += other.requests;
  prompt_tokens += other.prompt_tokens;
  output_tokens += other.output_tokens;
  return *this;
}

std::filesystem::path KeyStore::path_in(const std::filesystem::path& home) {
  return home / "keys.db";
}

KeyStore::KeyStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}
KeyStore::~KeyStore() = default;
KeyStore::KeyStore(KeyStore&& other) noexcept = default;
KeyStore& KeyStore::operator=(KeyStore&& other) noexcept = default;

Result<KeyStore> KeyStore::open(const std::filesystem::path& path, OpenMode mode, const char* vfs) {
  JARIP_TRY(auto database, Database::open(path, kSchema, mode, vfs));
  KeyStore store(std::move(database));
  const Database& db = *store.database_;
  JARIP_TRY(Statement add, db.prepare("INSERT INTO keys (prefix, hash, name, scopes, created,"
                                      " expires, requests_per_minute, tokens_per_minute,"
                                      " token_limit, weight)"
                                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"));
  JARIP_TRY(Statement revoke,
            db.prepare("UPDATE keys SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL"));
  JARIP_TRY(Statement add_use,
            db.prepare("INSERT INTO key_use (key_id, requests, prompt_tokens, output_tokens)"
                       " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key_id) DO UPDATE SET"
                       " requests = requests + ?2, prompt_tokens = prompt_tokens + ?3,"
                       " output_tokens = output_tokens + ?4"));
  JARIP_TRY(Statement find, db.prepare((kSelect + "WHERE prefix = ?1").c_str()));
  JARIP_TRY(Statement list, db.prepare((kSelect + "ORDER BY id").c_str()));
  JARIP_TRY(Statement any, db.prepare("SELECT EXISTS (SELECT 1 FROM keys)"));
  JARIP_TRY(Statement is_revoked, db.prepare("SELECT revoked IS NOT NULL FROM keys WHERE id = ?1"));
  JARIP_TRY(Statement version, db.prepare("PRAGMA data_version"));
  store.statements_.reset(new Statements{std::move(add), std::move(revoke), std::move(add_use),
                                         std::move(find), std::move(list), std::move(any),
                                         std::move(is_revoked), std::move(version)});
  return store;
}

Result<KeyId> KeyStore::add(std::string_view prefix, const KeyHash& hash, const KeyTerms& terms,
                            std::int64_t now) {
  JARIP_CHECK(statements_->add.run({prefix, std::span<const std::byte>(hash),
                                    std::string_view(terms.name), std::int64_t{terms.scopes}, now,
                                    sql_value(terms.expires), sql_value(terms.requests_per_minute),
                                    sql_value(terms.tokens_per_minute),
                                    sql_value(terms.token_limit), terms.weight}));
  return database_->last_row_id();
}

Result<bool> KeyStore::revoke(KeyId id, std::int64_t now) {
  JARIP_CHECK(statements_->revoke.run({id, now}));
  return database_->n_changed() > 0;
}

Result<void> KeyStore::add_use(std::span<const std::pair<KeyId, KeyUse>> uses) {
  return database_->in_transaction([&]() -> Result<void> {
    for (const auto& [id, use] : uses) {
      JARIP_CHECK(
          statements_->add_use.run({id, use.requests, use.prompt_tokens, use.output_tokens}));
    }
    return {};
  });
}

Result<std::optional<KeyRecord>> KeyStore::find(std::string_view prefix) {
  std::optional<KeyRecord> found;
  JARIP_CHECK(statements_->find.each({prefix}, [&](const Row& row) -> Result<void> {
    JARIP_TRY(found, record_of(row));
    return {};
  }));
  return found;
}

Result<std::vector<KeyRecord>> KeyStore::list() {
  std::vector<KeyRecord> records;
  JARIP_CHECK(statements_->list.each({}, [&](const Row& row) -> Result<void> {
    JARIP_TRY(KeyRecord record, record_of(row));
    records.push_back(std::move(record));
    return {};
  }));
  return records;
}

Result<bool> KeyStore::is_empty() {
  bool has_any = false;
  JARIP_CHECK(statements_->any.each({}, [&](const Row& row) -> Result<void> {
    has_any = row.integer(0) != 0;
    return {};
  }));
  return !has_any;
}

Result<bool> KeyStore::is_revoked(KeyId id) {
  bool revoked = true;  // one that isn't there
  JARIP_CHECK(statements_->is_revoked.each({id}, [&](const Row& row) -> Result<void> {
    revoked = row.integer(0) != 0;
    return {};
  }));
  return revoked;
}

Result<std::int64_t> KeyStore::version() {
  std::int64_t version = 0;
  JARIP_CHECK(statements_->version.each({}, [&](const Row& row) -> Result<void> {
    version = row.integer(0);
    return {};
  }));
  return version;
}

}  // namespace jarip

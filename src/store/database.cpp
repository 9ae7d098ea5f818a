#include "store/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace jarip {
namespace {

constexpr int kBusyTimeoutMs = 5000;
constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kOwnerOnlyFolder = 0700;

std::unexpected<Error> refuse_file(const std::filesystem::path& path, int error_number) {
  return fail(ErrorCode::kIo,
              fmt::format("can't open {}: {}", path.native(),
                          std::generic_category().message(error_number)),
              path.native());
}

// A folder of the owner's alone, unless it is there already; with those above it.
Result<void> make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (folder.empty() || std::filesystem::is_directory(folder, error)) return {};
  if (folder.has_parent_path() && folder.parent_path() != folder) {
    std::filesystem::create_directories(folder.parent_path(), error);
  }
  if (::mkdir(folder.c_str(), kOwnerOnlyFolder) != 0 && errno != EEXIST) {
    return refuse_file(folder, errno);
  }
  return {};
}

// Never opens a file that is there: closing it would drop the locks that another connection of this
// process has on it (POSIX).
Result<void> prepare_file(const std::filesystem::path& path, OpenMode mode) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) return refuse_file(path, errno);
    if (mode == OpenMode::kExisting) {
      return fail(ErrorCode::kNotFound, fmt::format("there is no file {}", path.native()),
                  path.native());
    }
    JARIP_CHECK(make_folder(path.parent_path()));
    const int descriptor =
        ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly);
    if (descriptor < 0 && errno != EEXIST) return refuse_file(path, errno);
    if (descriptor >= 0) ::close(descriptor);
    return {};
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kIo, fmt::format("{} isn't a plain file", path.native()), path.native());
  }
  if ((status.st_mode & 0777U & ~kOwnerOnly) != 0 && ::chmod(path.c_str(), kOwnerOnly) != 0) {
    return refuse_file(path, errno);
  }
  return {};
}

ErrorCode code_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA:
      return ErrorCode::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
      return ErrorCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return ErrorCode::kInvalidArgument;
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return ErrorCode::kIo;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

SqlValue sql_value(std::optional<std::int64_t> number) {
  return number ? SqlValue(*number) : SqlValue();
}

// --- rows and statements ---

std::int64_t Row::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::optional<std::int64_t> Row::optional_integer(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return integer(column);
}

std::string Row::text(int column) const {
  const auto bytes = blob(column);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> Row::blob(int column) const {
  // In this order: asking for the bytes may convert them, and with that their number.
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int n = sqlite3_column_bytes(statement_, column);
  return {static_cast<const std::byte*>(bytes), static_cast<std::size_t>(n)};
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Result<void> Statement::run(std::initializer_list<SqlValue> values) {
  return each(values, [](const Row&) -> Result<void> { return {}; });
}

Result<void> Statement::each(std::initializer_list<SqlValue> values, const RowVisitor& visit) {
  sqlite3_stmt* const statement = statement_.get();
  // However this ends, the statement must not keep a read transaction open.
  struct Reset {
    sqlite3_stmt* of;
    ~Reset() {
      sqlite3_reset(of);
      sqlite3_clear_bindings(of);
    }
  } const reset{statement};
  int i = 0;
  for (const SqlValue& value : values) {
    int bound = SQLITE_OK;
    ++i;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      bound = sqlite3_bind_int64(statement, i, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      bound = sqlite3_bind_text64(statement, i, text->empty() ? "" : text->data(), text->size(),
                                  SQLITE_STATIC, SQLITE_UTF8);
    } else if (const auto* blob = std::get_if<std::span<const std::byte>>(&value)) {
      bound = sqlite3_bind_blob64(statement, i, blob->data(), blob->size(), SQLITE_STATIC);
    }
    if (bound != SQLITE_OK) return database_->failure(bound);
  }
  int stepped = SQLITE_OK;
  while ((stepped = sqlite3_step(statement)) == SQLITE_ROW) JARIP_CHECK(visit(Row(statement)));
  if (stepped != SQLITE_DONE) return database_->failure(stepped);
  return {};
}

// --- the database ---

Database::Database(sqlite3* connection, std::filesystem::path path)
    : connection_(connection), path_(std::move(path)) {}

Database::~Database() { sqlite3_close_v2(connection_); }

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& path,
                                                 const DatabaseSchema& schema, OpenMode mode,
                                                 const char* vfs) {
  JARIP_CHECK(prepare_file(path, mode));
  sqlite3* connection = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &connection,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                         SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                                     vfs);
  std::unique_ptr<Database> database(new Database(connection, path));
  if (opened != SQLITE_OK) return database->failure(opened);
  JARIP_CHECK(database->set_up(schema));
  return database;
}

Result<void> Database::set_up(const DatabaseSchema& schema) {
  sqlite3_busy_timeout(connection_, kBusyTimeoutMs);
  // A schema that someone else wrote into the file must not be able to do anything.
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(connection_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  JARIP_CHECK(check_owner(schema));
  JARIP_CHECK(execute("PRAGMA journal_mode = WAL"));
  JARIP_CHECK(execute("PRAGMA synchronous = FULL"));
  JARIP_CHECK(execute("PRAGMA foreign_keys = ON"));
  JARIP_CHECK(check_whole(schema));
  return migrate(schema);
}

Result<void> Database::check_owner(const DatabaseSchema& schema) const {
  JARIP_TRY(const std::int64_t n_objects, read_integer("SELECT count(*) FROM sqlite_schema"));
  if (n_objects == 0) return {};  // new
  JARIP_TRY(const std::int64_t owner, read_integer("PRAGMA application_id"));
  if (owner == schema.application_id) return {};
  return fail(ErrorCode::kCorrupt,
              fmt::format("{} is a database, but not one of jarip's {}; move it away",
                          path_.native(), schema.what),
              path_.native());
}

Result<void> Database::check_whole(const DatabaseSchema& schema) const {
  JARIP_TRY(Statement check, prepare("PRAGMA quick_check(1)"));
  std::string found;
  JARIP_CHECK(check.each({}, [&](const Row& row) -> Result<void> {
    found = row.text(0);
    return {};
  }));
  if (found == "ok") return {};
  return fail(ErrorCode::kCorrupt,
              fmt::format("{}, which holds jarip's {}, is damaged; bring it back from a copy, or "
                          "move it away to begin anew",
                          path_.native(), schema.what),
              path_.native());
}

Result<void> Database::migrate(const DatabaseSchema& schema) {
  const auto newest = static_cast<std::int64_t>(schema.migrations.size());
  const auto read_version = [this] { return read_integer("PRAGMA user_version"); };
  JARIP_TRY(const std::int64_t version, read_version());
  if (version < 0 || version > newest) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{} was written by a newer jarip (version {} of its form, and this one "
                            "knows {}); use that one",
                            path_.native(), version, newest),
                path_.native());
  }
  if (version == newest) return {};
  return in_transaction([&]() -> Result<void> {
    // Another process may have been quicker.
    JARIP_TRY(std::int64_t done, read_version());
    for (; done < newest; ++done) {
      JARIP_CHECK(execute(schema.migrations[static_cast<std::size_t>(done)]));
    }
    JARIP_CHECK(execute(fmt::format("PRAGMA application_id = {}", schema.application_id).c_str()));
    return execute(fmt::format("PRAGMA user_version = {}", newest).c_str());
  });
}

Result<Statement> Database::prepare(const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  const int prepared =
      sqlite3_prepare_v3(connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (prepared != SQLITE_OK) return failure(prepared);
  return Statement(*this, statement);
}

Result<void> Database::in_transaction(const std::function<Result<void>()>& work) {
  JARIP_CHECK(execute("BEGIN IMMEDIATE"));
  Result<void> done = work();
  if (done) done = execute("COMMIT");
  // A failed write may have rolled back by itself.
  if (!done && sqlite3_get_autocommit(connection_) == 0) {
    static_cast<void>(execute("ROLLBACK"));
  }
  return done;
}

std::int64_t Database::last_row_id() const { return sqlite3_last_insert_rowid(connection_); }

std::int64_t Database::n_changed() const { return sqlite3_changes64(connection_); }

Result<void> Database::execute(const char* sql) const {
  const int done = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
  if (done != SQLITE_OK) return failure(done);
  return {};
}

Result<std::int64_t> Database::read_integer(const char* sql) const {
  JARIP_TRY(Statement statement, prepare(sql));
  std::int64_t number = 0;
  JARIP_CHECK(statement.each({}, [&](const Row& row) -> Result<void> {
    number = row.integer(0);
    return {};
  }));
  return number;
}

std::unexpected<Error> Database::failure(int code) const {
  const ErrorCode meaning = code_of(code);
  const char* advice = "";
  if (meaning == ErrorCode::kCorrupt) {
    advice = "; bring it back from a copy, or move it away to begin anew";
  } else if (meaning == ErrorCode::kUnavailable) {
    advice = "; try again soon";
  }
  return fail(meaning, fmt::format("{}: {}{}", path_.native(), sqlite3_errstr(code), advice),
              path_.native());
}

}  // namespace jarip

// SQLite behind types: a file with a schema of known version, prepared statements, transactions.
// A Database and its statements belong to one thread at a time, their owner's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace jarip {

class Database;

// NULL, a number, a text, a blob. Texts and blobs are borrowed for the call.
using SqlValue =
    std::variant<std::monostate, std::int64_t, std::string_view, std::span<const std::byte>>;

[[nodiscard]] SqlValue sql_value(std::optional<std::int64_t> number);

// The row that a statement is at; valid until the visit of it ends. Columns count from 0.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::optional<std::int64_t> optional_integer(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::span<const std::byte> blob(int column) const;

 private:
  sqlite3_stmt* statement_;
};

using RowVisitor = std::function<Result<void>(const Row&)>;

// Outlived by its database. Errors of both calls: kCorrupt, kIo (the disk is full, …), kUnavailable
// (another process holds the file), kInvalidArgument (a constraint of the schema doesn't hold).
class Statement {
 public:
  // Runs to the end, with values for ?1, ?2, …
  [[nodiscard]] Result<void> run(std::initializer_list<SqlValue> values = {});
  // Visits every row, or those before a visit that fails.
  [[nodiscard]] Result<void> each(std::initializer_list<SqlValue> values, const RowVisitor& visit);

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(const Database& database, sqlite3_stmt* statement)
      : database_(&database), statement_(statement) {}

  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// What a file must be. Version n of its schema is what the first n migrations make.
struct DatabaseSchema {
  std::string_view what;            // "keys", for people
  std::int32_t application_id = 0;  // written into the file: tells ours from other programs'
  std::span<const char* const> migrations;
};

enum class OpenMode : std::uint8_t {
  kExisting,  // kNotFound when there is no file
  kCreate,    // makes the folder and the file where they are missing
};

class Database {
 public:
  // Opens, checks and, where it is older, migrates the file, which only its owner can read
  // afterwards. Writes are on the disk when they return (WAL, synchronous=FULL). vfs: for tests.
  // Errors: kNotFound, kIo, kCorrupt (not a database, damaged, another program's), kUnsupported (a
  // newer jarip's), kUnavailable.
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path,
                                                              const DatabaseSchema& schema,
                                                              OpenMode mode,
                                                              const char* vfs = nullptr);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  [[nodiscard]] Result<Statement> prepare(const char* sql) const;

  // All that `work` does or nothing of it. Waits for other writers for at most some seconds.
  [[nodiscard]] Result<void> in_transaction(const std::function<Result<void>()>& work);

  [[nodiscard]] std::int64_t last_row_id() const;
  [[nodiscard]] std::int64_t n_changed() const;  // rows, by the statement before

 private:
  friend class Statement;
  Database(sqlite3* connection, std::filesystem::path path);

  [[nodiscard]] Result<void> execute(const char* sql) const;
  [[nodiscard]] Result<std::int64_t> read_integer(const char* sql) const;
  [[nodiscard]] Result<void> set_up(const DatabaseSchema& schema);
  [[nodiscard]] Result<void> check_owner(const DatabaseSchema& schema) const;
  [[nodiscard]] Result<void> check_whole(const DatabaseSchema& schema) const;
  [[nodiscard]] Result<void> migrate(const DatabaseSchema& schema);
  [[nodiscard]] std::unexpected<Error> failure(int code) const;

  sqlite3* connection_;
  std::filesystem::path path_;
};

}  // namespace jarip

#include "store/database.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace jarip {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFirst[] = {"CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT) STRICT"};
constexpr const char* kSecond[] = {kFirst[0], "ALTER TABLE notes ADD COLUMN size INTEGER"};
constexpr const char* kBroken[] = {kFirst[0],
                                   "ALTER TABLE notes ADD COLUMN size INTEGER;"
                                   "ALTER TABLE nowhere ADD COLUMN x INTEGER"};
constexpr DatabaseSchema kNotes{.what = "notes", .application_id = 77, .migrations = kFirst};
constexpr DatabaseSchema kNewerNotes{.what = "notes", .application_id = 77, .migrations = kSecond};
constexpr DatabaseSchema kBrokenNotes{.what = "notes", .application_id = 77, .migrations = kBroken};

class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() {
    std::string pattern = (fs::temp_directory_path() / "jarip-db-XXXXXX").native();
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ / "home" / "notes.db";
  }
  ~DatabaseTest() override { fs::remove_all(folder_); }

  std::unique_ptr<Database> open(const DatabaseSchema& schema = kNotes) const {
    auto opened = Database::open(path_, schema, OpenMode::kCreate);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  static std::vector<std::string> texts(const Database& database) {
    std::vector<std::string> found;
    Statement list = database.prepare("SELECT text FROM notes ORDER BY id").value();
    EXPECT_TRUE(list.each({}, [&](const Row& row) -> Result<void> {
      found.push_back(row.text(0));
      return {};
    }));
    return found;
  }
  static Result<void> insert(const Database& database, std::string_view text) {
    JARIP_TRY(Statement statement, database.prepare("INSERT INTO notes (text) VALUES (?1)"));
    return statement.run({text});
  }

  fs::path folder_;
  fs::path path_;
};

TEST_F(DatabaseTest, KeepsWhatIsWrittenAndWhatIsBound) {
  const std::string odd("'); DROP TABLE notes; --\0 \xED\x95\x9C", 30);
  {
    const auto database = open();
    ASSERT_TRUE(insert(*database, odd));
    ASSERT_TRUE(insert(*database, ""));
  }
  EXPECT_EQ(texts(*open()), (std::vector<std::string>{odd, ""}));
}

TEST_F(DatabaseTest, OnlyItsOwnerCanReadItsFiles) {
  const auto database = open();
  ASSERT_TRUE(insert(*database, "x"));
  for (const char* end : {"", "-wal", "-shm"}) {
    struct stat status{};
    ASSERT_EQ(::stat((path_.native() + end).c_str(), &status), 0) << end;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << end;
  }
}

TEST_F(DatabaseTest, AFileThatOthersCouldReadIsClosedToThem) {
  open();
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  open();
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(DatabaseTest, AMissingFileIsNotFoundUnlessItIsToBeMade) {
  const auto opened = Database::open(path_, kNotes, OpenMode::kExisting);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(fs::exists(path_.parent_path()));
}

TEST_F(DatabaseTest, LinksAndFoldersAreNoDatabases) {
  fs::create_directories(path_);
  EXPECT_EQ(Database::open(path_, kNotes, OpenMode::kCreate).error().code, ErrorCode::kIo);
  fs::remove(path_);
  fs::create_symlink("/etc/passwd", path_);
  EXPECT_EQ(Database::open(path_, kNotes, OpenMode::kCreate).error().code, ErrorCode::kIo);
}

TEST_F(DatabaseTest, AnOlderFileIsMigratedAndANewerOneRefused) {
  ASSERT_TRUE(insert(*open(), "kept"));
  {
    const auto database = open(kNewerNotes);
    EXPECT_EQ(texts(*database), std::vector<std::string>{"kept"});
    EXPECT_TRUE(database->prepare("SELECT size FROM notes"));
  }
  const auto refused = Database::open(path_, kNotes, OpenMode::kCreate);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("newer jarip"), std::string::npos);
}

TEST_F(DatabaseTest, AMigrationThatFailsLeavesTheFileAsItWas) {
  ASSERT_TRUE(insert(*open(), "kept"));
  EXPECT_FALSE(Database::open(path_, kBrokenNotes, OpenMode::kCreate));
  const auto database = open(kNotes);
  EXPECT_FALSE(database->prepare("SELECT size FROM notes"));
  EXPECT_EQ(texts(*database), std::vector<std::string>{"kept"});
}

TEST_F(DatabaseTest, WhatIsNoDatabaseOrAnothersIsRefused) {
  fs::create_directories(path_.parent_path());
  std::ofstream(path_) << std::string(5000, 'x');
  EXPECT_EQ(Database::open(path_, kNotes, OpenMode::kCreate).error().code, ErrorCode::kCorrupt);
  fs::remove(path_);
  open({.what = "other", .application_id = 78, .migrations = kFirst});
  const auto refused = Database::open(path_, kNotes, OpenMode::kCreate);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(refused.error().message.find("not one of jarip's notes"), std::string::npos);
}

TEST_F(DatabaseTest, ADamagedFileIsRefusedAndNotUsed) {
  {
    const auto database = open();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(insert(*database, std::string(300, 'x')));
  }
  const auto size = fs::file_size(path_);
  ASSERT_GT(size, 20'000U);
  int n_refused = 0;
  for (std::uintmax_t at = 4096; at + 512 < size; at += 4096) {
    const fs::path copy = folder_ / "copy.db";
    fs::copy_file(path_, copy, fs::copy_options::overwrite_existing);
    {
      std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(at));
      file << std::string(512, '\xA5');
    }
    const auto opened = Database::open(copy, kNotes, OpenMode::kExisting);
    if (opened) continue;
    ++n_refused;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt) << opened.error().message;
    EXPECT_NE(opened.error().message.find("move it away"), std::string::npos);
  }
  EXPECT_GT(n_refused, 10);
  fs::resize_file(path_, size / 2);
  EXPECT_EQ(Database::open(path_, kNotes, OpenMode::kExisting).error().code, ErrorCode::kCorrupt);
}

TEST_F(DatabaseTest, ATransactionIsAllOrNothing) {
  const auto database = open();
  const auto failed = database->in_transaction([&]() -> Result<void> {
    JARIP_CHECK(insert(*database, "one"));
    return fail(ErrorCode::kInternal, "changed our mind");
  });
  EXPECT_FALSE(failed);
  EXPECT_TRUE(texts(*database).empty());
  EXPECT_TRUE(database->in_transaction([&] { return insert(*database, "two"); }));
  EXPECT_EQ(texts(*database), std::vector<std::string>{"two"});
}

// --- a disk that fails: SQLite's own file system with faults let in between ---

struct FaultyFile {
  sqlite3_file base;
  sqlite3_file* real;
};

// Fails from the given call of its kind on, until healed.
enum class Fault : std::uint8_t { kWrite, kShortWrite, kSync };
struct Faults {
  Fault kind = Fault::kWrite;
  int calls_left = -1;  // below 0: never
  int n_failed = 0;
  bool strikes(Fault asked) {
    if (asked != kind || calls_left < 0) return false;
    if (calls_left > 0) {
      --calls_left;
      return false;
    }
    ++n_failed;
    return true;
  }
} faults;

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<FaultyFile*>(file)->real; }

int faulty_close(sqlite3_file* file) {
  const int closed = real(file)->pMethods->xClose(real(file));
  sqlite3_free(real(file));
  return closed;
}
int faulty_write(sqlite3_file* file, const void* bytes, int n, sqlite3_int64 at) {
  if (faults.strikes(Fault::kWrite)) return SQLITE_FULL;
  if (faults.strikes(Fault::kShortWrite)) {
    static_cast<void>(real(file)->pMethods->xWrite(real(file), bytes, n / 2, at));
    return SQLITE_IOERR_WRITE;
  }
  return real(file)->pMethods->xWrite(real(file), bytes, n, at);
}
int faulty_sync(sqlite3_file* file, int flags) {
  if (faults.strikes(Fault::kSync)) return SQLITE_IOERR_FSYNC;
  return real(file)->pMethods->xSync(real(file), flags);
}

// Everything else goes to the real file.
template <auto kMethod, class... Arguments>
int forward(sqlite3_file* file, Arguments... arguments) {
  return (real(file)->pMethods->*kMethod)(real(file), arguments...);
}
void forward_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }

const sqlite3_io_methods kFaultyMethods = {
    .iVersion = 2,
    .xClose = faulty_close,
    .xRead = forward<&sqlite3_io_methods::xRead, void*, int, sqlite3_int64>,
    .xWrite = faulty_write,
    .xTruncate = forward<&sqlite3_io_methods::xTruncate, sqlite3_int64>,
    .xSync = faulty_sync,
    .xFileSize = forward<&sqlite3_io_methods::xFileSize, sqlite3_int64*>,
    .xLock = forward<&sqlite3_io_methods::xLock, int>,
    .xUnlock = forward<&sqlite3_io_methods::xUnlock, int>,
    .xCheckReservedLock = forward<&sqlite3_io_methods::xCheckReservedLock, int*>,
    .xFileControl = forward<&sqlite3_io_methods::xFileControl, int, void*>,
    .xSectorSize = forward<&sqlite3_io_methods::xSectorSize>,
    .xDeviceCharacteristics = forward<&sqlite3_io_methods::xDeviceCharacteristics>,
    .xShmMap = forward<&sqlite3_io_methods::xShmMap, int, int, int, void volatile**>,
    .xShmLock = forward<&sqlite3_io_methods::xShmLock, int, int, int>,
    .xShmBarrier = forward_barrier,
    .xShmUnmap = forward<&sqlite3_io_methods::xShmUnmap, int>,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int faulty_open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out) {
  auto* const base = static_cast<sqlite3_vfs*>(vfs->pAppData);
  auto* const faulty = reinterpret_cast<FaultyFile*>(file);
  faulty->base.pMethods = nullptr;
  faulty->real = static_cast<sqlite3_file*>(sqlite3_malloc(base->szOsFile));
  const int opened = base->xOpen(base, name, faulty->real, flags, out);
  if (opened != SQLITE_OK) {
    sqlite3_free(faulty->real);
    return opened;
  }
  faulty->base.pMethods = &kFaultyMethods;
  return SQLITE_OK;
}

class FaultyDiskTest : public DatabaseTest,
                       public ::testing::WithParamInterface<std::tuple<Fault, int>> {
 protected:
  FaultyDiskTest() {
    sqlite3_vfs* const base = sqlite3_vfs_find(nullptr);
    vfs_ = *base;
    vfs_.pNext = nullptr;
    vfs_.zName = "faulty";
    vfs_.szOsFile = sizeof(FaultyFile);
    vfs_.pAppData = base;
    vfs_.xOpen = faulty_open;
    sqlite3_vfs_register(&vfs_, 0);
    faults = {};
  }
  ~FaultyDiskTest() override {
    faults = {};
    sqlite3_vfs_unregister(&vfs_);
  }

  sqlite3_vfs vfs_{};
};

// However a write fails, what was acknowledged stays, what wasn't is not there, and writing works
// again once the disk does.
TEST_P(FaultyDiskTest, NothingAcknowledgedIsLost) {
  auto database = Database::open(path_, kNotes, OpenMode::kCreate, "faulty").value();
  std::vector<std::string> acknowledged;
  for (int i = 0; i < 5; ++i) {
    acknowledged.push_back("before " + std::to_string(i));
    ASSERT_TRUE(insert(*database, acknowledged.back()));
  }
  faults = {.kind = std::get<0>(GetParam()), .calls_left = std::get<1>(GetParam())};
  for (int i = 0; i < 12; ++i) {
    const std::string text = "during " + std::to_string(i) + std::string(2000, '.');
    const auto done = insert(*database, text);
    if (done) {
      acknowledged.push_back(text);
    } else {
      EXPECT_EQ(done.error().code, ErrorCode::kIo) << done.error().message;
    }
  }
  EXPECT_GT(faults.n_failed, 0);
  faults = {};
  acknowledged.emplace_back("after");
  ASSERT_TRUE(insert(*database, "after"));
  EXPECT_EQ(texts(*database), acknowledged);
  database.reset();
  EXPECT_EQ(texts(*open()), acknowledged);
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultyDiskTest,
                         ::testing::Combine(::testing::Values(Fault::kWrite, Fault::kShortWrite,
                                                              Fault::kSync),
                                            ::testing::Values(0, 1, 2, 3, 5, 8, 11)));

}  // namespace
}  // namespace jarip

#include "cli/history.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace jarip {
namespace {

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "jarip_history_test";
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(HistoryTest, EntriesComeBackAsTheyWere) {
  const std::vector<std::string> entries = {"first", "두 줄\n둘째 \\n 줄\\", "third"};
  {
    auto history = History::open(folder_ / "new" / "history");
    ASSERT_TRUE(history) << history.error().message;
    for (const std::string& entry : entries) ASSERT_TRUE(history->add(entry));
    ASSERT_TRUE(history->add("third"));
    ASSERT_TRUE(history->add(""));
  }
  const auto again = History::open(folder_ / "new" / "history");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->entries(), entries);
}

TEST_F(HistoryTest, TheFileIsForItsOwnerAlone) {
  auto history = History::open(folder_ / "history");
  ASSERT_TRUE(history);
  ASSERT_TRUE(history->add("secret"));
  struct stat status{};
  ASSERT_EQ(stat((folder_ / "history").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(HistoryTest, OnlyTheNewestEntriesAreKept) {
  std::filesystem::create_directories(folder_);
  std::ofstream file(folder_ / "history");
  for (std::size_t i = 0; i < History::kMaxEntries + 5; ++i) file << "entry " << i << '\n';
  file.close();
  const auto history = History::open(folder_ / "history");
  ASSERT_TRUE(history);
  ASSERT_EQ(history->entries().size(), History::kMaxEntries);
  EXPECT_EQ(history->entries().front(), "entry 5");
  const auto again = History::open(folder_ / "history");
  EXPECT_EQ(again->entries().size(), History::kMaxEntries);
}

TEST_F(HistoryTest, AFolderThatCantBeWrittenIsAnErrorAndTheEntryStays) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ / "file") << "not a folder";
  History history;
  ASSERT_TRUE(history.add("kept without a file"));
  auto blocked = History::open(folder_ / "file" / "history");
  if (!blocked) return;  // already told when opening
  const auto added = blocked->add("x");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kIo);
  EXPECT_EQ(blocked->entries().size(), 1U);
}

}  // namespace
}  // namespace jarip

#include "base/new_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace jarip {
namespace {

namespace fs = std::filesystem;

class NewFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "new_file_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] std::ptrdiff_t n_files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  }

  fs::path folder_;
};

TEST_F(NewFileTest, AppearsWhenItIsWhole) {
  const fs::path path = folder_ / "a";
  auto file = NewFile::create(path, 6, Existing::kRefuse);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE(file->write_at(3, bytes("def")));
  EXPECT_FALSE(fs::exists(path));
  ASSERT_TRUE(file->write_at(0, bytes("abc")));
  ASSERT_TRUE(file->publish());
  EXPECT_EQ(read(path), "abcdef");
  EXPECT_EQ(n_files(), 1);
}

TEST_F(NewFileTest, LeavesNothingWhenItIsGivenUp) {
  {
    auto file = NewFile::create(folder_ / "a", 6, Existing::kRefuse);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write_at(0, bytes("abc")));
    EXPECT_EQ(n_files(), 1);
  }
  EXPECT_EQ(n_files(), 0);
}

TEST_F(NewFileTest, ReplacesOnlyWhenTold) {
  const fs::path path = folder_ / "a";
  std::ofstream(path) << "old";
  const auto refused = NewFile::create(path, 3, Existing::kRefuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read(path), "old");

  auto file = NewFile::create(path, 3, Existing::kReplace);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write_at(0, bytes("new")));
  ASSERT_TRUE(file->publish());
  EXPECT_EQ(read(path), "new");
}

TEST_F(NewFileTest, AFileThatCameMeanwhileStays) {
  const fs::path path = folder_ / "a";
  auto file = NewFile::create(path, 3, Existing::kRefuse);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write_at(0, bytes("new")));
  std::ofstream(path) << "other";
  const auto published = file->publish();
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read(path), "other");
}

TEST_F(NewFileTest, AFolderThatIsNotThereIsNamed) {
  const auto file = NewFile::create(folder_ / "none" / "a", 1, Existing::kRefuse);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kIo);
  EXPECT_TRUE(file.error().message.contains("none/a")) << file.error().message;
}

TEST_F(NewFileTest, ADiskTooSmallIsToldAtOnce) {
  const auto file = NewFile::create(folder_ / "a", std::uint64_t{1} << 50U, Existing::kRefuse);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kIo);
  EXPECT_EQ(n_files(), 0);
}

}  // namespace
}  // namespace jarip

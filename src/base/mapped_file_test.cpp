#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace jarip {
namespace {

class MappedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "mapped_file_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(std::string_view name, std::string_view text) {
    const auto path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  static std::string_view text_of(const MappedFile& file) {
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
  }

  std::filesystem::path folder_;
};

TEST_F(MappedFileTest, ShowsTheBytesOfTheFile) {
  const auto file = MappedFile::open(write("a", std::string_view("one\0two", 7)));
  ASSERT_TRUE(file);
  EXPECT_EQ(text_of(*file), std::string_view("one\0two", 7));
}

TEST_F(MappedFileTest, AnEmptyFileIsAnEmptySpan) {
  const auto file = MappedFile::open(write("empty", ""));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->bytes().empty());
}

TEST_F(MappedFileTest, StaysReadableAfterTheFileIsRemovedAndTheObjectMoved) {
  const auto path = write("a", "still here");
  auto opened = MappedFile::open(path);
  ASSERT_TRUE(opened);
  std::filesystem::remove(path);
  MappedFile moved = std::move(*opened);
  EXPECT_TRUE(opened->bytes().empty());
  MappedFile assigned;
  assigned = std::move(moved);
  EXPECT_EQ(text_of(assigned), "still here");
}

TEST_F(MappedFileTest, RefusalsNameThePathAndTheReason) {
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto file = write("file", "x");
  const struct {
    std::filesystem::path path;
    ErrorCode code;
    std::string_view words;
  } cases[] = {
      {folder_ / "missing", ErrorCode::kNotFound, "there is no file"},
      {file / "below-a-file", ErrorCode::kNotFound, "there is no file"},
      {folder_, ErrorCode::kIo, "it is a folder"},
      {pipe, ErrorCode::kIo, "it is not a regular file"},
  };
  for (const auto& one : cases) {
    const auto opened = MappedFile::open(one.path);
    ASSERT_FALSE(opened) << one.path;
    EXPECT_EQ(opened.error().code, one.code);
    EXPECT_NE(opened.error().message.find(one.words), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().message.find(one.path.native()), std::string::npos);
    EXPECT_EQ(opened.error().where, one.path.native());
  }
}

}  // namespace
}  // namespace jarip

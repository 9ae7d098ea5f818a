#include "net/partial_download.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string_view>

namespace jarip {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class PartialDownloadTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    path_ = folder_ / "file";
  }
  PartialDownload open() {
    auto file = PartialDownload::open(path_);
    EXPECT_TRUE(file.has_value());
    return *std::move(file);
  }

  const RemoteFile remote_{.url = "https://a/b", .etag = "\"e\"", .sha256 = "", .n_bytes = 6};
  fs::path folder_;
  fs::path path_;
};

// printf abcdef | sha256sum
constexpr std::string_view kHash =
    "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721";

TEST_F(PartialDownloadTest, GoesOnWhereAnotherStopped) {
  {
    PartialDownload file = open();
    EXPECT_EQ(file.n_bytes(), 0);
    ASSERT_TRUE(file.restart(remote_));
    ASSERT_TRUE(file.append(bytes("abc")));
  }
  PartialDownload file = open();
  EXPECT_EQ(file.n_bytes(), 3);
  EXPECT_EQ(file.remote().url, remote_.url);
  EXPECT_EQ(file.remote().etag, remote_.etag);
  EXPECT_EQ(file.remote().n_bytes, remote_.n_bytes);
  ASSERT_TRUE(file.reserve());
  EXPECT_EQ(fs::file_size(path_), 3);
  ASSERT_TRUE(file.append(bytes("def")));
  EXPECT_EQ(file.finish(), kHash);
}

TEST_F(PartialDownloadTest, WithoutItsNoteItBeginsAnew) {
  {
    PartialDownload file = open();
    ASSERT_TRUE(file.restart(remote_));
    ASSERT_TRUE(file.append(bytes("xyz")));
  }
  for (const std::string_view note :
       {"", "url https://a/b\n", "url a\netag \nsha256 \nbytes x\n"}) {
    std::ofstream(path_.native() + ".note", std::ios::trunc) << note;
    EXPECT_EQ(open().n_bytes(), 0) << note;
  }
  PartialDownload file = open();
  ASSERT_TRUE(file.restart(remote_));
  ASSERT_TRUE(file.append(bytes("abcdef")));
  EXPECT_EQ(file.finish(), kHash);
}

TEST_F(PartialDownloadTest, HasOneWriter) {
  const PartialDownload file = open();
  const auto second = PartialDownload::open(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
}

TEST_F(PartialDownloadTest, ADiskTooSmallIsToldBeforehand) {
  PartialDownload file = open();
  RemoteFile huge = remote_;
  huge.n_bytes = fs::space(folder_).available + (1ULL << 30U);
  ASSERT_TRUE(file.restart(huge));
  const auto reserved = file.reserve();
  ASSERT_FALSE(reserved);
  EXPECT_EQ(reserved.error().code, ErrorCode::kIo);
  EXPECT_NE(reserved.error().message.find("MB left"), std::string::npos);
}

TEST_F(PartialDownloadTest, RemoveLeavesNothing) {
  PartialDownload file = open();
  ASSERT_TRUE(file.restart(remote_));
  file.remove();
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace jarip

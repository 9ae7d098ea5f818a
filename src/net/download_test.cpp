#include "net/download.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace jarip {
namespace {

namespace fs = std::filesystem;

// Takes connections in, as the kernel does for whoever listens, and never says a word. The rest is
// tested with the real program (tests/cli/test_pull.py).
class SilentServer {
 public:
  SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { ::close(socket_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}/m.gguf", port_); }

 private:
  int socket_;
  int port_ = 0;
};

PartialDownload open_partial() {
  const fs::path path =
      fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
  fs::remove(path);
  fs::remove(path.native() + ".note");
  auto file = PartialDownload::open(path);
  EXPECT_TRUE(file.has_value());
  return *std::move(file);
}

TEST(Download, AServerThatSaysNothingIsGivenUp) {
  const SilentServer server;
  PartialDownload file = open_partial();
  std::vector<std::string> troubles;
  const auto done =
      download({.url = server.url(),
                .on_progress =
                    [&](const DownloadProgress& progress) { troubles.push_back(progress.trouble); },
                .stall = std::chrono::seconds(1)},
               file);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(troubles.size(), 2);  // and the third is the last
}

TEST(Download, StopsWhileItWaits) {
  const SilentServer server;
  PartialDownload file = open_partial();
  const auto done = download({.url = server.url(), .should_stop = [] { return true; }}, file);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kCancelled);
}

TEST(Download, WhatComesFromElsewhereNeedsTls) {
  PartialDownload file = open_partial();
  for (const char* url : {"http://hub.example/m.gguf", "ftp://hub.example/m.gguf", "m.gguf", ""}) {
    const auto done = download({.url = url}, file);
    ASSERT_FALSE(done) << url;
    EXPECT_EQ(done.error().code, ErrorCode::kInvalidArgument) << url;
  }
}

}  // namespace
}  // namespace jarip

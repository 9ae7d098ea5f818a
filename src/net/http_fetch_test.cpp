#include "net/http_fetch.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

FetchHead read(std::initializer_list<std::string_view> lines) {
  FetchHead head;
  for (const std::string_view line : lines) head.read_line(line);
  return head;
}

TEST(FetchHead, ReadsWhatAnAnswerSays) {
  const FetchHead head =
      read({"HTTP/1.1 206 Partial Content\r\n", "ETag: \"abc\"\r\n", "Content-Length: 83\r\n",
            "content-range: bytes 17-99/100\r\n", "Retry-After:  7 \r\n", "\r\n"});
  EXPECT_EQ(head.status, 206);
  EXPECT_EQ(head.etag, "\"abc\"");
  EXPECT_EQ(head.n_bytes, 83);
  EXPECT_EQ(head.range_begin, 17);
  EXPECT_EQ(head.n_whole_bytes, 100);
  EXPECT_EQ(head.retry_after_s, 7);
}

TEST(FetchHead, TheHubsMarkOutlivesARedirectAndNothingElseDoes) {
  const FetchHead head = read({"HTTP/2 302", "x-linked-etag: \"feed\"", "etag: \"first\"",
                               "content-length: 12", "", "HTTP/1.1 200 OK", ""});
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.hub_etag, "\"feed\"");
  EXPECT_EQ(head.etag, "");
  EXPECT_EQ(head.n_bytes, std::nullopt);
}

TEST(FetchHead, NonsenseIsLeftOut) {
  const FetchHead head = read({"HTTP/1.1", "Content-Length: -5", "Content-Range: bytes */100",
                               "Content-Range: bytes 99999999999999999999-1/2", "no colon"});
  EXPECT_EQ(head.status, 0);
  EXPECT_EQ(head.n_bytes, std::nullopt);
  EXPECT_EQ(head.range_begin, std::nullopt);
  EXPECT_EQ(head.n_whole_bytes, 2);
}

TEST(HostOf, KnowsAddresses) {
  EXPECT_EQ(host_of("https://hub.example:8443/a?b"), "hub.example");
  EXPECT_EQ(host_of("http://[::1]:80/"), "[::1]");
  EXPECT_EQ(host_of("ftp://hub.example/a"), "");
  EXPECT_EQ(host_of("file:///etc/passwd"), "");
  EXPECT_EQ(host_of("model"), "");
}

}  // namespace
}  // namespace jarip

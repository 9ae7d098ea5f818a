#include "net/http_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace jarip {
namespace {

constexpr std::size_t kMaxFields = 20;

std::expected<RequestHead, Refusal> parse(const std::string& bytes) {
  auto end = find_head_end(bytes, 0);
  if (!end) return std::unexpected(end.error());
  if (!*end) return std::unexpected(Refusal{0, "incomplete"});
  return parse_request_head(std::string_view(bytes).substr(0, **end), kMaxFields);
}

TEST(HttpParser, ReadsAnOrdinaryRequest) {
  const auto head = parse(
      "POST /v1/models/a%2Fb%20%ED%95%9C?x=1&y=%32 HTTP/1.1\r\nHost: LocalHost:8484\r\n"
      "Content-Type:application/json \t\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n"
      "Connection: Upgrade, close\r\n\r\n");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->path, "/v1/models/a/b 한");
  EXPECT_EQ(head->query, "x=1&y=%32");
  EXPECT_EQ(head->host, "localhost:8484");
  EXPECT_EQ(head->headers[1].name, "content-type");
  EXPECT_EQ(head->headers[1].value, "application/json");
  EXPECT_EQ(head->content_length, 12U);
  EXPECT_TRUE(head->expects_continue);
  EXPECT_FALSE(head->keep_alive);
}

TEST(HttpParser, ConnectionsLiveOnInHttp11AndEndInHttp10UnlessAskedOtherwise) {
  EXPECT_TRUE(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n")->keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\nHost: a\r\n\r\n")->keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n")->keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n")->keep_alive);
  EXPECT_FALSE(
      parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade , Close\r\n\r\n")->keep_alive);
  EXPECT_TRUE(
      parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed,, not-close\r\n\r\n")->keep_alive);
  EXPECT_FALSE(
      parse("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n")->keep_alive);
}

TEST(HttpParser, ReadsTheAbsoluteFormWhenItNamesTheSameHost) {
  const auto head = parse("GET http://A:1/x?q HTTP/1.1\r\nHost: a:1\r\n\r\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->path, "/x");
  EXPECT_EQ(head->host, "a:1");
  EXPECT_EQ(parse("GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n").error().status, 400);
}

struct BadHead {
  const char* what;
  std::string bytes;
  int status;
};

std::string with(const std::string& fields) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

TEST(HttpParser, RefusesWhatTwoParsersCouldReadDifferently) {
  std::string many_fields;
  for (std::size_t i = 0; i < kMaxFields; ++i) many_fields += "a: b\r\n";
  const BadHead table[] = {
      {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"one bare LF", "GET / HTTP/1.1\r\nHost: a\nb: c\r\n\r\n", 400},
      {"bare CR", "GET / HTTP/1.1\r\nHost: a\rb: c\r\n\r\n", 400},
      {"NUL", std::string("GET / HTTP/1.1\r\nHost: a\r\nb: \0\r\n\r\n", 33), 400},
      {"TLS hello", "\x16\x03\x01\x02", 400},
      {"no version", "GET /\r\nHost: a\r\n\r\n", 400},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"tab for space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"cut version", "GET / HT\r\n\r\n", 400},
      {"words after the version", "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", 400},
      {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"HTTP/2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"version without a number", "GET / HTTP/2\r\nHost: a\r\n\r\n", 400},
      {"method without end", std::string(33, 'X') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"bad method", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"relative target", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"bad escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"cut escape", "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"encoded NUL", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"bytes above ASCII in the target", "GET /\xED\x95\x9C HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 400},
      {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"Host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"space before colon", with("Content-Length : 1\r\n"), 400},
      {"folded", with("a: b\r\n c\r\n"), 400},
      {"folded with a tab", with("a: b\r\n\tc\r\n"), 400},
      {"folded first", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"no colon", with("abc\r\n"), 400},
      {"no name", with(": b\r\n"), 400},
      {"name with space", with("a b: c\r\n"), 400},
      {"both lengths", with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"two lengths", with("Content-Length: 1\r\nContent-Length: 2\r\n"), 400},
      {"one length twice", with("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
      {"length list", with("Content-Length: 1, 1\r\n"), 400},
      {"negative length", with("Content-Length: -1\r\n"), 400},
      {"signed length", with("Content-Length: +1\r\n"), 400},
      {"hex length", with("Content-Length: 0x1\r\n"), 400},
      {"empty length", with("Content-Length:\r\n"), 400},
      {"huge length", with("Content-Length: 99999999999999999999\r\n"), 400},
      {"two codings", with("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"coding twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"unknown coding", with("Transfer-Encoding: xchunked\r\n"), 400},
      {"chunked not last", with("Transfer-Encoding: chunked, gzip\r\n"), 400},
      {"empty coding", with("Transfer-Encoding:\r\n"), 400},
      {"vertical tab in coding",
       with("Transfer-Encoding: \x0B"
            "chunked\r\n"),
       400},
      {"coding before chunked", with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
       400},
      {"length behind another coding", with("Transfer-Encoding: gzip\r\nContent-Length: 1\r\n"),
       400},
      {"coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"unknown expectation", with("Expect: cake\r\n"), 417},
      {"too many fields", with(many_fields), 431},
      {"empty line first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
  };
  for (const BadHead& row : table) {
    const auto head = parse(row.bytes);
    ASSERT_FALSE(head) << row.what;
    EXPECT_EQ(head.error().status, row.status) << row.what << ": " << head.error().message;
    EXPECT_FALSE(head.error().message.empty());
  }
}

TEST(HttpParser, FindsTheEndOfTheHeadHoweverItIsCut) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody";
  for (std::size_t cut = 0; cut < bytes.size() - 4; ++cut) {
    const auto early = find_head_end(std::string_view(bytes).substr(0, cut), 0);
    ASSERT_TRUE(early);
    EXPECT_FALSE(*early) << cut;
    EXPECT_EQ(find_head_end(bytes, cut).value(), bytes.size() - 4) << cut;
  }
}

TEST(ChunkedDecoder, DecodesHoweverTheBytesAreCut) {
  const std::string bytes =
      "4\r\nwiki\r\nA;name=\"v\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nrest";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    ChunkedDecoder decoder;
    std::string body;
    std::string input = bytes.substr(0, cut);
    const auto first = decoder.feed(input, body, 100);
    ASSERT_TRUE(first) << cut;
    input = input.substr(*first) + bytes.substr(cut);
    const auto second = decoder.feed(input, body, 100);
    ASSERT_TRUE(second) << cut;
    EXPECT_TRUE(decoder.done()) << cut;
    EXPECT_EQ(body, "wiki0123456789");
    EXPECT_EQ(input.substr(*second), "rest");
  }
}

TEST(ChunkedDecoder, RefusesBadFraming) {
  struct Row {
    const char* what;
    std::string bytes;
    int status;
  };
  const Row table[] = {
      {"no size", "\r\n", 400},
      {"not hex", "g\r\n", 400},
      {"0x", "0x1\r\na\r\n", 400},
      {"negative", "-1\r\n", 400},
      {"space before the size", " 1\r\na\r\n", 400},
      {"space after the size", "1 \r\na\r\n", 400},
      {"space before an extension", "1 ;x\r\na\r\n", 400},
      {"control byte in a quoted extension", "1;x=\"\x01\"\r\na\r\n", 400},
      {"quote left open", "1;x=\"\r\na\r\n", 400},
      {"quote over two lines of the last chunk", "0;x=\"\r\na: \"\r\n\r\n", 400},
      {"trailer without colon", "0\r\nabc\r\n\r\n", 400},
      {"folded trailer", "0\r\na: b\r\n c\r\n\r\n", 400},
      {"length as a trailer", "0\r\nContent-Length: 1\r\n\r\n", 400},
      {"bare LF", "1\na\r\n", 400},
      {"bare LF in an extension", "1;\nx\r\na\r\n", 400},
      {"size overflow", "FFFFFFFFFFFFFFFFF\r\n", 400},
      {"longer than it says", "1\r\nab\r\n", 400},
      {"endless extension", "1;" + std::string(1000, 'x'), 400},
      {"body over the limit", "b\r\n", 413},
      {"body over the limit in two chunks", "a\r\n0123456789\r\n1\r\n", 413},
      {"trailers without end",
       "0\r\n" +
           [] {
             std::string lines;
             for (int i = 0; i < 100; ++i) lines += std::string(100, 'x') + "\r\n";
             return lines;
           }(),
       431},
  };
  for (const Row& row : table) {
    ChunkedDecoder decoder;
    std::string body;
    const auto fed = decoder.feed(row.bytes, body, 10);
    ASSERT_FALSE(fed) << row.what;
    EXPECT_EQ(fed.error().status, row.status) << row.what;
    EXPECT_LE(body.size(), 10U);
  }
}

}  // namespace
}  // namespace jarip

#include "net/http_writer.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

constexpr std::time_t kThen = 784111777;

TEST(HttpWriter, WritesTheDateOfTheSpecification) {
  EXPECT_EQ(http_date(kThen), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpWriter, WritesAWholeHead) {
  const Response response{200, {{"content-type", "text/plain"}}, "hello"};
  EXPECT_EQ(encode_response_head(response, Framing::kLength, Persistence::kClose, kThen),
            "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 5\r\n"
            "connection: close\r\ncontent-type: text/plain\r\n\r\n");
}

TEST(HttpWriter, AnnouncesNoLengthWhereThereIsNeverABody) {
  for (int status : {204, 304}) {
    const Response response{status, {}, {}};
    EXPECT_EQ(encode_response_head(response, Framing::kLength, Persistence::kDefault, kThen)
                  .find("content-length"),
              std::string::npos);
  }
}

TEST(HttpWriter, AHeaderValueCannotForgeAnotherHeader) {
  const Response response{200, {{"x-a", "1\r\nx-b: 2"}, {"x-c", "3"}}, {}};
  const std::string head =
      encode_response_head(response, Framing::kChunked, Persistence::kDefault, kThen);
  EXPECT_EQ(head.find("x-b"), std::string::npos);
  EXPECT_NE(head.find("x-c: 3\r\n"), std::string::npos);
}

}  // namespace
}  // namespace jarip

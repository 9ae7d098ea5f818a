#include "api/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <string>

namespace jarip {
namespace {

AccessEntry entry() {
  return {
      .time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'770'091'506'789)),
      .id = "req_1",
      .key_prefix = "jarip_0123abcd",
      .peer = "127.0.0.1:5000",
      .method = "POST",
      .path = "/v1/chat/completions",
      .status = 200,
      .prompt_tokens = 12,
      .cached_tokens = 3,
      .output_tokens = 40,
      .queue_ms = 0.25,
      .first_token_ms = 31.5,
      .total_ms = 1234.56,
      .has_answer = true};
}

TEST(AccessLog, ALineOfTextSaysWhoAskedWhatItTookAndWhatItUsed) {
  EXPECT_EQ(access_line(entry(), AccessLogForm::kText),
            "2026-02-03T04:05:06.789Z access id=req_1 key=jarip_0123abcd peer=127.0.0.1:5000 POST "
            "/v1/chat/completions 200 prompt=12 cached=3 output=40 queue_ms=0.2 "
            "first_token_ms=31.5 total_ms=1234.6\n");
  const AccessEntry nothing{.time = entry().time,
                            .id = {},
                            .key_prefix = {},
                            .peer = {},
                            .method = {},
                            .path = {},
                            .status = 400};
  EXPECT_EQ(access_line(nothing, AccessLogForm::kText),
            "2026-02-03T04:05:06.789Z access id=- key=- peer=- - - 400 total_ms=0.0\n");
}

TEST(AccessLog, ALineOfJsonSaysTheSame) {
  EXPECT_EQ(boost::json::parse(access_line(entry(), AccessLogForm::kJson)),
            boost::json::parse(R"({"time":"2026-02-03T04:05:06.789Z","id":"req_1",
                "key":"jarip_0123abcd","peer":"127.0.0.1:5000","method":"POST",
                "path":"/v1/chat/completions","status":200,"prompt_tokens":12,"cached_tokens":3,
                "output_tokens":40,"queue_ms":0.2,"first_token_ms":31.5,"total_ms":1234.6})"));
}

TEST(AccessLog, NoPathBreaksTheLineOrForgesAnother) {
  for (const AccessLogForm form : {AccessLogForm::kText, AccessLogForm::kJson}) {
    AccessEntry hostile = entry();
    hostile.path = "/a b\n2026 access id=x\x1b[31m\xff\xc2\x9b\"," + std::string(5000, 'p');
    hostile.method = std::string(500, 'M');
    const std::string line = access_line(hostile, form);
    EXPECT_LE(line.size(), kMaxAccessLine);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    if (form == AccessLogForm::kJson) {
      EXPECT_NO_THROW(static_cast<void>(boost::json::parse(line)));
    } else {
      EXPECT_EQ(line.find(" id=x"), std::string::npos);
    }
  }
}

TEST(AccessLog, LinesAreWrittenInOrderAndWholeBeforeItEnds) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  {
    AccessLog log(AccessLogForm::kText, ends[1]);
    for (int i = 0; i < 50; ++i) {
      AccessEntry one = entry();
      one.status = 100 + i;
      log.write(one);
    }
  }
  ::close(ends[1]);
  std::string all;
  char piece[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], piece, sizeof piece)) > 0;) {
    all.append(piece, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    AccessEntry one = entry();
    one.status = 100 + i;
    expected += access_line(one, AccessLogForm::kText);
  }
  EXPECT_EQ(all, expected);
}

TEST(AccessLog, AReaderThatIsStuckHoldsNobodyUp) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const auto begin = std::chrono::steady_clock::now();
  {
    AccessLog log(AccessLogForm::kText, ends[1]);
    for (int i = 0; i < 20'000; ++i) log.write(entry());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace jarip

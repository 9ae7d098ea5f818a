#include "net/sse.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

TEST(Sse, AnEventIsOneDataLineAndABlankLine) {
  std::string out;
  append_sse_event(out, "{\"a\":1}");
  append_sse_event(out, "[DONE]");
  EXPECT_EQ(out, "data: {\"a\":1}\n\ndata: [DONE]\n\n");
}

TEST(Sse, AnEventMayHaveAName) {
  std::string out;
  append_sse_event(out, "1", "tick");
  EXPECT_EQ(out, "event: tick\ndata: 1\n\n");
}

TEST(Sse, LineEndsInDataCannotEndTheEvent) {
  std::string out;
  append_sse_event(out, "a\nb\r\nc\rd\n");
  EXPECT_EQ(out, "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
}

TEST(Sse, APingIsAComment) {
  EXPECT_TRUE(kSsePing.starts_with(":"));
  EXPECT_TRUE(kSsePing.ends_with("\n\n"));
}

}  // namespace
}  // namespace jarip

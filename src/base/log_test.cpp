#include "base/log.h"

#include <gtest/gtest.h>

namespace jarip {
namespace {

TEST(PrintableTest, ControlCharactersAreWrittenOut) {
  EXPECT_EQ(printable("a\nb\x1b[31mc\x7f"), "a\\x0ab\\x1b[31mc\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "\\x9b2J");
}

TEST(PrintableTest, TextOfEveryLanguageStays) {
  EXPECT_EQ(printable("한국어\té \xc2\xa0 🙂"), "한국어\té \xc2\xa0 🙂");
}

TEST(LogTest, LinesBelowTheLevelAreLeftOut) {
  set_log_level(LogLevel::kInfo);
  testing::internal::CaptureStderr();
  log_line(LogLevel::kDebug, "unheard");
  log_line(LogLevel::kInfo, "heard {} once");
  EXPECT_EQ(testing::internal::GetCapturedStderr().find("unheard"), std::string::npos);
  testing::internal::CaptureStderr();
  log_line(LogLevel::kInfo, "heard {}\nonce");
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find(" info heard {}\\x0aonce\n"), std::string::npos) << line;
  set_log_level(LogLevel::kOff);
  testing::internal::CaptureStderr();
  log_line(LogLevel::kError, "off");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace jarip

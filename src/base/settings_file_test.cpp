#include "base/settings_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace jarip {
namespace {

std::string value_of(const SettingsFile& file, std::string_view section, std::string_view key) {
  const Setting* setting = file.find(section, key);
  return setting == nullptr ? "(none)" : setting->value;
}

TEST(SettingsFileTest, ASectionsSettingGoesBeforeTheGeneralOne) {
  const auto file =
      SettingsFile::parse("threads = 4\n\n[serve]\nthreads=8 # more\nport = 80\n", "f");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(value_of(*file, "serve", "threads"), "8");
  EXPECT_EQ(value_of(*file, "run", "threads"), "4");
  EXPECT_EQ(value_of(*file, "serve", "port"), "80");
  EXPECT_EQ(value_of(*file, "run", "port"), "(none)");
}

TEST(SettingsFileTest, ValuesKeepWhatTheirQuotesHold) {
  const auto file = SettingsFile::parse(
      "a = \"one # \\\"two\\\" \\\\ \\n\\t\" # c\nb = 'C:\\raw # x'\nc = -1.5e+3\r\nd = \"\"", "f");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(value_of(*file, "", "a"), "one # \"two\" \\ \n\t");
  EXPECT_EQ(value_of(*file, "", "b"), "C:\\raw # x");
  EXPECT_EQ(value_of(*file, "", "c"), "-1.5e+3");
  EXPECT_EQ(value_of(*file, "", "d"), "");
}

TEST(SettingsFileTest, WrongLinesAreRefusedByNumber) {
  const struct {
    std::string_view text;
    std::string_view message;
  } cases[] = {
      {"a = 1\nnonsense\n", "line 2 of f is neither a [section], a `key = value` nor a # comment"},
      {"= 1", "line 1 of f is neither a [section], a `key = value` nor a # comment"},
      {"a b = 1", "line 1 of f is neither a [section], a `key = value` nor a # comment"},
      {"[serve", "line 1 of f opens a section and doesn't close it"},
      {"[]", "line 1 of f isn't a [section]"},
      {"[a] b", "line 1 of f isn't a [section]"},
      {"a =", "line 1 of f has no value"},
      {"a = # none", "line 1 of f has no value"},
      {"a = two words", "line 1 of f has a value that needs quotes"},
      {"a = [1, 2]", "line 1 of f has a value that needs quotes"},
      {"a = \"open", "line 1 of f has a string that isn't closed or escaped as it should"},
      {"a = \"\\x\"", "line 1 of f has a string that isn't closed or escaped as it should"},
      {"a = \"\\", "line 1 of f has a string that isn't closed or escaped as it should"},
      {"a = \"x\" y", "line 1 of f has something after its string"},
      {"a = 1\n[s]\na = 1\na = 2", "line 4 of f sets a again; line 3 already does"},
  };
  for (const auto& test : cases) {
    const auto file = SettingsFile::parse(test.text, "f");
    ASSERT_FALSE(file) << test.text;
    EXPECT_EQ(file.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(file.error().message, test.message);
  }
}

TEST(SettingsFileTest, TheNumberOfSettingsIsLimited) {
  std::string text;
  for (std::size_t i = 0; i <= SettingsFile::kMaxSettings; ++i) {
    text += "key" + std::to_string(i) + " = 1\n";
  }
  const auto file = SettingsFile::parse(text, "f");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message, "line 1001 of f is past 1000 settings");
}

TEST(SettingsFileTest, AMissingFileIsEmptyAndAFolderIsAnError) {
  const auto missing = SettingsFile::read("/nonexistent/jarip/config.toml");
  ASSERT_TRUE(missing) << missing.error().message;
  EXPECT_TRUE(missing->settings().empty());
  const auto folder = SettingsFile::read("/");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::kIo);
  EXPECT_NE(folder.error().message.find("can't read /"), std::string::npos);
}

TEST(SettingsFileTest, ReadsAFileWholeAndRefusesAHugeOne) {
  const auto path = std::filesystem::temp_directory_path() / "jarip_settings_file_test.toml";
  std::ofstream(path) << "threads = 3\n";
  const auto file = SettingsFile::read(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(value_of(*file, "", "threads"), "3");
  std::ofstream(path) << std::string(SettingsFile::kMaxBytes + 1, '#');
  const auto huge = SettingsFile::read(path);
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, ErrorCode::kTooLarge);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace jarip

#include "cli/command.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "cli/text_width.h"

namespace jarip {
namespace {

// Two commands with an option of each kind.
class CommandTest : public testing::Test {
 protected:
  CommandTest() {
    globals_.add_text({.name = "lang", .value_name = "WORD", .help = {"Language", "언어"}}, lang_);
    Command& serve = commands_.emplace_back();
    serve.name = "serve";
    serve.summary = {"Answers over HTTP.", "HTTP로 답한다."};
    serve.options.add_number<std::uint16_t>(
        {.name = "port",
         .letter = 'p',
         .value_name = "N",
         .help =
             {"Port to listen on, whichever is free if it is 0, written out long enough to wrap",
              "들을 포트"}},
        port_, {0, 65535});
    serve.options.add_switch(
        {.name = "json", .help = {"Write JSON", "JSON으로 쓴다"}, .reach = Reach::kFlag}, json_);
    serve.options.add_argument("MODEL", {"A name | a path", "이름 | 경로"}, model_);
    Command& hidden = commands_.emplace_back();
    hidden.name = "secret";
    hidden.summary = {"Nobody sees this.", "아무도 보지 못한다."};
    hidden.hidden = true;
  }

  std::string lang_, model_;
  std::uint16_t port_ = 8484;
  bool json_ = false;
  std::vector<Command> commands_;
  OptionSet globals_;
};

bool has(const std::string& page, std::string_view text) {
  return page.find(text) != std::string::npos;
}

TEST_F(CommandTest, HelpTellsAllThatADeclarationSays) {
  const std::string page = help_of(commands_[0], globals_, Language::kEnglish);
  EXPECT_TRUE(has(page, "Usage: jarip serve [OPTIONS] MODEL\n")) << page;
  EXPECT_TRUE(has(page, "  -p, --port N              Port to listen on")) << page;
  EXPECT_TRUE(has(page, "default 8484) [JARIP_PORT]")) << page;
  EXPECT_TRUE(has(page, "  --json                    Write JSON\n")) << page;
  EXPECT_TRUE(has(page, "  --lang WORD ")) << page;
}

TEST_F(CommandTest, HelpSpeaksKorean) {
  const std::string page = help_of(commands_[0], globals_, Language::kKorean);
  EXPECT_TRUE(has(page, "쓰는 법: jarip serve [옵션] MODEL\n")) << page;
  EXPECT_TRUE(has(page, "HTTP로 답한다.")) << page;
  EXPECT_TRUE(has(page, "들을 포트 (0 to 65535; 기본값 8484) [JARIP_PORT]")) << page;
}

TEST_F(CommandTest, NoLineOfHelpIsWiderThanATerminal) {
  for (const Language language : {Language::kEnglish, Language::kKorean}) {
    std::string page = help_of(commands_[0], globals_, language);
    while (!page.empty()) {
      const std::size_t end = page.find('\n');
      EXPECT_LE(display_width(page.substr(0, end)), 90U) << page.substr(0, end);
      page.erase(0, end + 1);
    }
  }
}

TEST_F(CommandTest, TheOverviewListsCommandsAndExitCodes) {
  const std::string page = overview(commands_, globals_, Language::kEnglish);
  EXPECT_TRUE(has(page, "  serve                     Answers over HTTP.\n")) << page;
  EXPECT_TRUE(has(page, "  130  ")) << page;
  EXPECT_FALSE(has(page, "secret")) << page;
}

TEST_F(CommandTest, TheOptionsPageIsATableForEachCommand) {
  const std::string page = options_page(commands_, globals_, Language::kEnglish);
  EXPECT_TRUE(has(page, "## jarip serve\n")) << page;
  EXPECT_TRUE(has(page, "| `-p, --port N` | `JARIP_PORT` | `port` | 0 to 65535 | `8484` | Port"))
      << page;
  EXPECT_TRUE(has(page, "| `MODEL` |  |  |  |  | A name \\| a path |")) << page;
  EXPECT_FALSE(has(page, "secret")) << page;
}

TEST_F(CommandTest, SettingsThatNoCommandKnowsAreRefused) {
  const auto check = [&](std::string_view text) {
    return check_settings(*SettingsFile::parse(text, "config.toml"), commands_, globals_);
  };
  EXPECT_TRUE(check("port = 1\nlang = ko\n[serve]\nport = 2\n"));
  for (const std::string_view wrong : {"prot = 1\n", "[serve]\nlang = ko\n", "json = true\n",
                                       "[secret]\nport = 1\n", "[unknown]\nport = 1\n"}) {
    EXPECT_FALSE(check(wrong)) << wrong;
  }
  EXPECT_EQ(check("\n[run]\nport = 1\n").error().message,
            "line 3 of config.toml sets port in [run], which no command knows");
}

}  // namespace
}  // namespace jarip

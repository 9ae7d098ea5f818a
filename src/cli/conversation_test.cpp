#include "cli/conversation.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace jarip {
namespace {

TEST(SlashCommandTest, ANameAndTheRest) {
  const auto save = read_slash_command("/save  my notes.md \n");
  ASSERT_TRUE(save);
  EXPECT_EQ(save->name, "save");
  EXPECT_EQ(save->argument, "my notes.md");
  EXPECT_EQ(read_slash_command("/exit")->name, "exit");
  EXPECT_EQ(read_slash_command("/exit")->argument, "");
  EXPECT_EQ(read_slash_command("/")->name, "");
  EXPECT_FALSE(read_slash_command("either/or"));
  EXPECT_FALSE(read_slash_command(""));
}

TEST(ConversationTest, TheSystemPromptComesFirstAndOutlivesAReset) {
  Conversation talk("Be brief.");
  talk.ask("Hello?");
  talk.answer("Hi.");
  ASSERT_EQ(talk.messages().size(), 3U);
  EXPECT_EQ(talk.messages()[0].role, Role::kSystem);
  EXPECT_EQ(talk.messages()[2].content, "Hi.");
  talk.reset();
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_EQ(talk.messages()[0].content, "Be brief.");
  EXPECT_TRUE(talk.empty());
}

TEST(ConversationTest, AQuestionWithoutAnAnswerCanBeTakenBack) {
  Conversation talk(std::nullopt);
  talk.ask("Hello?");
  talk.answer("Hi.");
  talk.ask("Too long…");
  talk.take_back();
  EXPECT_EQ(talk.messages().size(), 2U);
  talk.take_back();
  EXPECT_EQ(talk.messages().size(), 2U) << "an answered question stays";
}

TEST(ConversationTest, TheLastAnswerCanBeGivenAgain) {
  Conversation talk(std::nullopt);
  EXPECT_FALSE(talk.forget_answer());
  talk.ask("Hello?");
  EXPECT_FALSE(talk.forget_answer());
  talk.answer("Hi.");
  EXPECT_TRUE(talk.forget_answer());
  ASSERT_EQ(talk.messages().size(), 1U);
  EXPECT_EQ(talk.messages()[0].content, "Hello?");
}

TEST(ConversationTest, SavesAllThatWasSaidAsMarkdown) {
  Conversation talk("Be brief.");
  talk.ask("안녕?");
  talk.answer("Hi.");
  const std::string path = testing::TempDir() + "jarip_conversation_test.md";
  ASSERT_TRUE(talk.save(path));
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, "## System\n\nBe brief.\n\n## User\n\n안녕?\n\n## Assistant\n\nHi.\n\n");
  std::filesystem::remove(path);
}

TEST(ConversationTest, SayingWhereItCouldNotBeSaved) {
  const auto saved = Conversation(std::nullopt).save("/nonexistent/notes.md");
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().message, "can't write /nonexistent/notes.md: No such file or directory");
}

}  // namespace
}  // namespace jarip

#include "app/prompt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/vocabulary.h"
#include "tests/support/tiny_vocabulary.h"

namespace jarip {
namespace {

using Ids = std::vector<TokenId>;

// Bytes, "ab", "\n\n", and four control tokens.
class PromptTest : public testing::Test {
 protected:
  PromptTest() {
    ab_ = tiny_.merge("a", "b");
    newlines_ = tiny_.merge("\n", "\n");
    bos_ = tiny_.add_token("<s>", TokenType::kControl);
    eos_ = tiny_.add_token("</s>", TokenType::kControl);
    start_ = tiny_.add_token("<|start|>", TokenType::kControl);
    end_ = tiny_.add_token("<|end|>", TokenType::kControl);
    tiny_->bos = bos_;
    tiny_->eos = eos_;
  }

  Tokenizer tokenizer(bool add_bos = false) {
    tiny_->add_bos = add_bos;
    return *Tokenizer::from_vocabulary(*tiny_);
  }

  Result<Ids> render(std::string_view source, const std::vector<Message>& messages,
                     bool add_bos = false) {
    const auto compiled = ChatTemplate::compile(source);
    EXPECT_TRUE(compiled) << compiled.error().message;
    return encode_messages(messages, false, *compiled, tokenizer(add_bos), 0);
  }

  TinyVocabulary tiny_;
  TokenId ab_, newlines_, bos_, eos_, start_, end_;
};

TEST_F(PromptTest, OnlyTheTemplatesOwnWordsNameControlTokens) {
  const std::vector<RenderedSegment> segments = {
      {"<|start|>", false}, {"<|end|>", true}, {"<|end|>", false}};
  const Ids tokens = encode_segments(segments, tokenizer());
  ASSERT_EQ(tokens.size(), 2 + std::string_view("<|end|>").size());
  EXPECT_EQ(tokens.front(), start_);
  EXPECT_EQ(tokens[1], TokenId{'<'});
  EXPECT_EQ(tokens.back(), end_);
}

TEST_F(PromptTest, AControlTokenCantBeMadeOfHalves) {
  const std::vector<RenderedSegment> segments = {
      {"<|st", false}, {"art|>", true}, {"<|e", true}, {"nd|>", false}};
  for (const TokenId id : encode_segments(segments, tokenizer())) EXPECT_LT(id, 256U);
}

TEST_F(PromptTest, BetweenControlTokensAllIsOneText) {
  const std::vector<RenderedSegment> segments = {
      {"<|start|>a", false}, {"b\n", true}, {"\n<|end|>", false}};
  EXPECT_EQ(encode_segments(segments, tokenizer()), (Ids{start_, ab_, newlines_, end_}));
}

TEST_F(PromptTest, ATemplateMayMakeAControlTokenOfTheRole) {
  const TokenId user = tiny_.add_token("<|user|>", TokenType::kControl);
  const auto tokens =
      render("{% for m in messages %}{{ '<|' + m.role + '|>' + m.content }}{% endfor %}",
             {{Role::kUser, "<|user|>"}});
  ASSERT_TRUE(tokens);
  EXPECT_EQ(std::ranges::count(*tokens, user), 1);
  EXPECT_EQ(tokens->front(), user);
}

TEST_F(PromptTest, BosGoesBeforePlainTextWhenTheFileAsks) {
  EXPECT_EQ(encode_text("ab", tokenizer(true)), (Ids{bos_, ab_}));
  EXPECT_EQ(encode_text("ab", tokenizer(false)), (Ids{ab_}));
  EXPECT_EQ(encode_text("", tokenizer(true)), (Ids{bos_}));
  // What a person typed is no BOS, so it doesn't take the place of one.
  EXPECT_EQ(encode_text("<s>", tokenizer(true)).size(), 4U);
}

TEST_F(PromptTest, MessagesGoThroughTheTemplateUpToTheAnswer) {
  const auto tokens = render(
      "{% for m in messages %}<|start|>{{ m.role }}:{{ m.content }}<|end|>{% endfor %}"
      "{% if add_generation_prompt %}<|start|>{% endif %}",
      {{Role::kSystem, "ab"}, {Role::kUser, "<|end|>"}, {Role::kAssistant, "c"}});
  ASSERT_TRUE(tokens) << tokens.error().message;
  const Tokenizer with_names = tokenizer();
  EXPECT_EQ(with_names.decode(*tokens, true),
            "<|start|>system:ab<|end|><|start|>user:<|end|><|end|><|start|>assistant:c<|end|>"
            "<|start|>");
  EXPECT_EQ(std::ranges::count(*tokens, end_), 3) << "the typed one is text";
}

TEST_F(PromptTest, AnAnswerGoesOnAsOneTextWithItsBeginning) {
  const auto compiled = ChatTemplate::compile("{{ messages[0].content }}<|start|>a");
  const std::vector<Message> messages = {{Role::kUser, "q"}, {Role::kAssistant, "b<|end|>"}};
  const auto tokens = encode_messages(messages, true, *compiled, tokenizer(), 0);
  ASSERT_TRUE(tokens) << tokens.error().message;
  Ids expected = {TokenId{'q'}, start_, ab_};
  for (const char byte : std::string_view("<|end|>")) expected.push_back(TokenId(byte));
  EXPECT_EQ(*tokens, expected);
  const auto nothing =
      encode_messages(std::span(messages).last(1), true, *compiled, tokenizer(), 0);
  EXPECT_EQ(nothing.error().where, "messages");
}

TEST_F(PromptTest, BosIsNotDoubledWhenTheTemplateWritesIt) {
  const std::vector<Message> hello = {{Role::kUser, "ab"}};
  EXPECT_EQ(*render("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", hello, true),
            (Ids{bos_, ab_, eos_}));
  EXPECT_EQ(*render("{{ messages[0].content }}", hello, true), (Ids{bos_, ab_}));
  EXPECT_EQ(*render("{{ messages[0].content }}", hello, false), (Ids{ab_}));
}

TEST_F(PromptTest, NoMessagesAndRefusalsOfTheTemplateAreErrors) {
  const auto none = render("x", {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(none.error().where, "messages");
  const auto refused = render("{{ raise_exception('users only') }}", {{Role::kUser, "x"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("users only"), std::string::npos);
}

TEST_F(PromptTest, EchoIsWhatWentIn) {
  Turn turn;
  turn.echo = true;
  turn.input = std::string("ab\xFF");
  EXPECT_EQ(echo_of(turn, tokenizer()), "ab\uFFFD");
  turn.input = Ids{ab_, 'c', end_};
  EXPECT_EQ(echo_of(turn, tokenizer()), "abc");
  turn.echo = false;
  EXPECT_EQ(echo_of(turn, tokenizer()), "");
}

// --- functions ---

const std::vector<Tool> kTools = {
    {"f", "does", R"({"type":"object","properties":{"n":{"type":"integer"}}})", false, "tools"}};

std::vector<Message> conversation_with_calls() {
  Message answer{Role::kAssistant, ""};
  answer.reasoning = "hm";
  answer.calls = {{"call_1", "f", R"({"n":1})"}, {"abcdefgh9", "f", R"({"n":2})"}};
  Message one{Role::kTool, "one"};
  one.call_id = "call_1";
  Message two{Role::kTool, "two"};
  two.call_id = "abcdefgh9";
  return {{Role::kUser, "go"}, answer, one, two};
}

std::string rendered(std::string_view source, const std::vector<Message>& messages,
                     const std::vector<Tool>& tools, const AnswerShape& shape,
                     const Tokenizer& tokenizer) {
  const auto compiled = ChatTemplate::compile(source);
  EXPECT_TRUE(compiled) << compiled.error().message;
  const auto segments = render_messages(messages, false, *compiled, tokenizer, 0, {tools, &shape});
  if (!segments) return "error: " + segments.error().message;
  std::string out;
  for (const RenderedSegment& segment : *segments) out += segment.text;
  return out;
}

TEST_F(PromptTest, TemplatesThatKnowCallsGetThemAsTheyExpect) {
  AnswerShape shape;
  shape.calls.from_template = true;
  shape.calls.null_content = true;
  EXPECT_EQ(rendered("{{ tools | tojson }}"
                     "{% for m in messages %}|{{ m.role }}:{{ m.content is none }}"
                     "{% if m.tool_calls is defined %}{{ m.reasoning_content }}"
                     "{% for c in m.tool_calls %}{{ c.id | length }}{{ c.type }}"
                     "{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}"
                     "{% elif m.role == 'tool' %}{{ m.tool_call_id | length }}{{ m.name }}"
                     "{% endif %}{% endfor %}",
                     conversation_with_calls(), kTools, shape, tokenizer()),
            R"([{"type": "function", "function": {"name": "f", "description": "does", )"
            R"("parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}}}])"
            R"(|user:False|assistant:Truehm9functionf{"n": 1}9functionf{"n": 2})"
            "|tool:False9f|tool:False9f");
  shape.calls.arguments_as_text = true;
  EXPECT_EQ(rendered("{% for m in messages %}{% for c in m.tool_calls %}"
                     "{{ c.function.arguments + ';' }}{% endfor %}{% endfor %}",
                     conversation_with_calls(), {}, shape, tokenizer()),
            R"({"n":1};{"n":2};)");
}

TEST_F(PromptTest, ForOtherTemplatesFunctionsAndCallsAreWrittenOut) {
  constexpr std::string_view kPlain =
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}";
  AnswerShape shape;
  const std::string text = rendered(kPlain, conversation_with_calls(), kTools, shape, tokenizer());
  EXPECT_TRUE(text.starts_with("<system>You can call functions.")) << text;
  EXPECT_TRUE(text.contains(R"({"type": "function", "function": {"name": "f", )")) << text;
  EXPECT_TRUE(
      text.ends_with("<user>go\n<assistant><tool_call>\n"
                     R"({"name": "f", "arguments": {"n":1}})"
                     "\n</tool_call>\n<tool_call>\n"
                     R"({"name": "f", "arguments": {"n":2}})"
                     "\n</tool_call>\n<user><tool_response>\none\n</tool_response>\n"
                     "<tool_response>\ntwo\n</tool_response>\n"))
      << text;
  // Without functions to call, what was called is still there, and nothing is told.
  EXPECT_TRUE(rendered(kPlain, conversation_with_calls(), {}, shape, tokenizer())
                  .starts_with("<user>go\n<assistant><tool_call>"));
  // Where the template has no place for a system's message, the first user's has it.
  shape.takes_system = false;
  EXPECT_TRUE(rendered(kPlain, {{Role::kUser, "go"}}, kTools, shape, tokenizer())
                  .starts_with("<user>You can call functions."));
  EXPECT_EQ(rendered(kPlain, {{Role::kUser, "go"}}, {}, shape, tokenizer()), "<user>go\n");
}

TEST_F(PromptTest, ATemplatesLastMarkIsItsOwnWords) {
  EXPECT_TRUE(ends_with_mark(std::vector<RenderedSegment>{{"a <think>\n", false}}, "<think>"));
  EXPECT_FALSE(ends_with_mark(std::vector<RenderedSegment>{{"a <think>\n", true}}, "<think>"));
  EXPECT_FALSE(ends_with_mark(std::vector<RenderedSegment>{{"<think>a", false}}, "<think>"));
  EXPECT_FALSE(ends_with_mark(std::vector<RenderedSegment>{}, "<think>"));
}

}  // namespace
}  // namespace jarip

#include "api/anthropic.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <vector>

#include "api/anthropic_request.h"

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kVocab = 100;

// A body that is right but for the fields added.
std::string body(const std::string& more = {}) {
  return R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}])" +
         (more.empty() ? "" : "," + more) + "}";
}

std::vector<Message> messages_of(const std::string& text) {
  const auto request = parse_anthropic_request(text, kVocab);
  if (!request) {
    ADD_FAILURE() << text << ": " << request.error().message;
    return {};
  }
  return std::get<std::vector<Message>>(request->turn.input);
}

TEST(AnthropicRequest, ReadsTheFieldsOfTheMessagesApi) {
  const auto request = parse_anthropic_request(
      body(R"("temperature":0.5,"top_k":3,"top_p":0.9,"stop_sequences":["a","b"],"stream":true,
              "metadata":{"user_id":"u"},"service_tier":"auto","tools":[],"seed":4,
              "thinking":{"type":"disabled"})"),
      kVocab);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->is_stream);
  EXPECT_EQ(request->turn.max_new_tokens, 9U);
  EXPECT_EQ(request->turn.sampling.temperature, 0.5F);
  EXPECT_EQ(request->turn.sampling.top_k, 3U);
  EXPECT_EQ(request->turn.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request->turn.seed, 4U);
}

TEST(AnthropicRequest, TheSystemPromptBecomesTheFirstMessage) {
  for (const char* system :
       {R"("system":"be brief")",
        R"("system":[{"type":"text","text":"be "},
                     {"type":"text","text":"brief","cache_control":{"type":"ephemeral"}}])",
        // A header that changes in each call is no part of the prompt.
        R"("system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=1; cch=9;"},
                     {"type":"text","text":"be brief"}])"}) {
    const auto messages = messages_of(body(system));
    ASSERT_EQ(messages.size(), 2U) << system;
    EXPECT_EQ(messages[0].role, Role::kSystem);
    EXPECT_EQ(messages[0].content, "be brief");
    EXPECT_EQ(messages[1].content, "hi");
  }
  EXPECT_EQ(messages_of(body(R"("system":null)")).size(), 1U);
}

TEST(AnthropicRequest, AnAssistantsMessageAtTheEndBeginsTheAnswer) {
  const auto request = parse_anthropic_request(
      R"({"max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"a"},
          {"type":"text","text":"b"}]},{"role":"assistant","content":"so"}]})",
      kVocab);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->turn.continues_last);
  EXPECT_EQ(std::get<std::vector<Message>>(request->turn.input)[0].content, "ab");
  EXPECT_FALSE(parse_anthropic_request(body(), kVocab)->turn.continues_last);
}

TEST(AnthropicRequest, RefusesWhatItCannotHonourByPath) {
  struct Row {
    std::string body;
    const char* where;
  };
  const std::string image = R"([{"role":"user","content":[{"type":"image","source":{}}]}])";
  const Row table[] = {
      {R"({"messages":[{"role":"user","content":"x"}]})", "max_tokens"},
      {R"({"max_tokens":1})", "messages"},
      {R"({"max_tokens":0,"messages":[{"role":"user","content":"x"}]})", "max_tokens"},
      {R"({"max_tokens":1,"messages":[]})", "messages"},
      {R"({"max_tokens":1,"messages":[{"role":"system","content":"x"}]})", "messages[0].role"},
      {R"({"max_tokens":1,"messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"max_tokens":1,"messages":)" + image + "}", "messages[0].content[0].type"},
      {body(R"("tools":[{"name":"f"}])"), "tools[0].input_schema"},
      // Not less than max_tokens.
      {body(R"("thinking":{"type":"enabled","budget_tokens":9})"), "thinking.budget_tokens"},
      {body(R"("thinking":{"type":"enabled","budget_tokens":0})"), "thinking.budget_tokens"},
      {body(R"("thinking":{"type":"enabled"})"), "thinking.budget_tokens"},
      {body(R"("thinking":{"type":"disabled","budget_tokens":4})"), "thinking.budget_tokens"},
      {body(R"("thinking":{"type":"always"})"), "thinking.type"},
      {body(R"("thinking":{})"), "thinking.type"},
      {body(R"("thinking":true)"), "thinking"},
      {body(R"("n":2)"), "n"},
      {body(R"("stop":"x")"), "stop"},
      {body(R"("system":[{"type":"text"}])"), "system[0].text"},
      {body(R"("stop_sequences":"x")"), "stop_sequences"},
      {body(R"("output_config":{"effort":"low"})"), "output_config.effort"},
      {body(R"("output_format":{"type":"text","schema":{}})"), "output_format.type"},
      {body(R"("output_format":{"type":"json_schema"})"), "output_format.schema"},
      {"[]", ""},
  };
  for (const Row& row : table) {
    const auto request = parse_anthropic_request(row.body, kVocab);
    ASSERT_FALSE(request) << row.body;
    EXPECT_EQ(request.error().where, row.where) << request.error().message;
  }
}

TEST(AnthropicRequest, SaysHowMuchToThink) {
  const auto thinking_of = [](const std::string& field) {
    const auto request = parse_anthropic_request(body(field), kVocab);
    EXPECT_TRUE(request) << field;
    return request ? request->turn.thinking : Thinking{};
  };
  const Thinking enabled = thinking_of(R"("thinking":{"type":"enabled","budget_tokens":8})");
  EXPECT_EQ(enabled.wanted, true);
  EXPECT_EQ(enabled.max_tokens, 8U);
  EXPECT_EQ(enabled.field, "thinking");
  const Thinking disabled = thinking_of(R"("thinking":{"type":"disabled"})");
  EXPECT_EQ(disabled.wanted, false);
  EXPECT_EQ(disabled.max_tokens, 0U);
  EXPECT_FALSE(thinking_of(R"("thinking":{"type":"adaptive"})").wanted);
  EXPECT_FALSE(thinking_of(R"("thinking":null)").wanted);
}

TEST(AnthropicRequest, AnOutputFormatIsHeldTo) {
  const std::string format = R"({"type":"json_schema","schema":{"type":"null"}})";
  for (const std::string& field :
       {R"("output_config":{"format":)" + format + "}", R"("output_format":)" + format}) {
    const auto request = parse_anthropic_request(body(field), kVocab);
    ASSERT_TRUE(request) << request.error().message;
    ASSERT_TRUE(request->turn.form);
    EXPECT_EQ(request->turn.form->source,
              (GrammarSource{GrammarKind::kJsonSchema, R"({"type":"null"})"}));
  }
}

TEST(AnthropicRequest, CountingTakesThePromptsFieldsOnly) {
  EXPECT_TRUE(parse_anthropic_count(
      R"({"model":"m","system":"s","messages":[{"role":"user","content":"hi"}]})"));
  EXPECT_EQ(parse_anthropic_count(body()).error().where, "max_tokens");
}

// --- replies ---

TurnEnd ended(TurnFinish finish) {
  TurnEnd end;
  end.finish = finish;
  end.n_prompt_tokens = 9;
  end.n_cached_tokens = 4;
  end.n_new_tokens = 2;
  return end;
}

struct Event {
  std::string name;
  json::value data;
};

std::vector<Event> events_of(std::string_view stream) {
  std::vector<Event> events;
  while (!stream.empty()) {
    const std::size_t line = stream.find('\n');
    const std::size_t end = stream.find("\n\n");
    EXPECT_TRUE(stream.starts_with("event: "));
    EXPECT_EQ(stream.substr(line + 1, 6), "data: ");
    events.push_back({std::string(stream.substr(7, line - 7)),
                      json::parse(stream.substr(line + 7, end - line - 7))});
    EXPECT_EQ(std::string(events.back().data.at("type").as_string()), events.back().name);
    stream.remove_prefix(end + 2);
  }
  return events;
}

TEST(AnthropicReply, StreamsOneBlockBetweenItsEvents) {
  AnthropicWriter writer("msg_1", "tiny");
  writer.set_started({.ids = {1}, .n_prompt_tokens = 9, .seed = 0});
  std::string out;
  writer.append_begin(out);
  writer.append_ping(out);
  writer.append_delta(out, 0, {"Hel", {}});
  writer.append_delta(out, 0, {"lo", {}});
  TurnEnd end = ended(TurnFinish::kStop);
  end.stop = "END";
  writer.append_end(out, 0, end);
  writer.append_finish(out);
  const auto events = events_of(out);
  const char* names[] = {"message_start",       "ping",
                         "content_block_start", "content_block_delta",
                         "content_block_delta", "content_block_stop",
                         "message_delta",       "message_stop"};
  ASSERT_EQ(events.size(), std::size(names));
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].name, names[i]);
  const json::value& message = events[0].data.at("message");
  EXPECT_EQ(message.at("id"), "msg_1");
  EXPECT_EQ(message.at("model"), "tiny");
  EXPECT_TRUE(message.at("content").as_array().empty());
  EXPECT_TRUE(message.at("stop_reason").is_null());
  EXPECT_EQ(message.at("usage").at("input_tokens").as_int64(), 9);
  EXPECT_EQ(events[4].data.at("delta"), json::parse(R"({"type":"text_delta","text":"lo"})"));
  EXPECT_EQ(events[6].data.at("delta"),
            json::parse(R"({"container":null,"stop_reason":"stop_sequence","stop_sequence":"END",
                            "stop_details":null})"));
  const json::value& usage = events[6].data.at("usage");
  EXPECT_EQ(usage.at("input_tokens").as_int64(), 5);
  EXPECT_EQ(usage.at("cache_read_input_tokens").as_int64(), 4);
  EXPECT_EQ(usage.at("output_tokens").as_int64(), 2);
}

TEST(AnthropicReply, AWholeMessageSaysWhyItEnded) {
  AnthropicWriter writer("msg_1", "tiny");
  const auto cut = json::parse(writer.whole({{"Hello", {}, ended(TurnFinish::kLength)}}));
  EXPECT_EQ(cut.at("content"), json::parse(R"([{"type":"text","text":"Hello","citations":null}])"));
  EXPECT_EQ(cut.at("stop_reason"), "max_tokens");
  const auto nothing = json::parse(writer.whole({{"", {}, ended(TurnFinish::kStop)}}));
  EXPECT_TRUE(nothing.at("content").as_array().empty());
  EXPECT_EQ(nothing.at("stop_reason"), "end_turn");
  EXPECT_TRUE(nothing.at("stop_sequence").is_null());
}

TEST(AnthropicReply, AnErrorInMidStreamIsItsLastEvent) {
  AnthropicWriter writer("msg_1", "tiny");
  std::string out;
  writer.append_error(out, {ErrorCode::kInternal, "bad", {}});
  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].data.at("error"), json::parse(R"({"type":"api_error","message":"bad"})"));
}

TEST(AnthropicReply, ThinkingTextAndCallsAreBlocksInSequence) {
  AnthropicWriter writer("msg_1", "tiny");
  std::string out;
  writer.append_begin(out);
  writer.append_reasoning(out, 0, {"hm"});
  writer.append_delta(out, 0, {"Look:", {}});
  writer.append_call(out, 0, {0, "x1", "f", R"({"a")"});
  writer.append_call(out, 0, {0, "", "", ":1}"});
  writer.append_call(out, 0, {1, "x2", "g", "{}"});
  writer.append_end(out, 0, ended(TurnFinish::kStop));
  std::string names;
  std::vector<json::value> blocks;
  for (const auto& event : events_of(out)) {
    names += event.data.at("type").as_string().c_str() + std::string(" ");
    if (event.data.at("type") == "content_block_start") {
      EXPECT_EQ(event.data.at("index").as_int64(), static_cast<std::int64_t>(blocks.size()));
      blocks.push_back(event.data.at("content_block"));
    }
    if (event.data.at("type") == "message_delta") {
      EXPECT_EQ(event.data.at("delta").at("stop_reason"), "tool_use");
    }
  }
  const std::string one = "content_block_start content_block_delta content_block_stop ";
  EXPECT_EQ(names, "message_start " + one + one +
                       "content_block_start content_block_delta content_block_delta "
                       "content_block_stop " +
                       one + "message_delta message_stop ");
  ASSERT_EQ(blocks.size(), 4U);
  EXPECT_EQ(blocks[0], json::parse(R"({"type":"thinking","thinking":"","signature":""})"));
  EXPECT_EQ(
      blocks[2],
      json::parse(
          R"({"type":"tool_use","id":"toolu_x1","caller":{"type":"direct"},"name":"f","input":{}})"));
}

TEST(AnthropicReply, AWholeMessageHasItsThinkingAndCalls) {
  AnthropicWriter writer("msg_1", "tiny");
  WholeAnswer answer{"", {}, ended(TurnFinish::kStop), "hm", {{"x1", "f", R"({"a":1})"}}};
  const auto message = json::parse(writer.whole({answer}));
  EXPECT_EQ(message.at("content"), json::parse(R"([{"type":"thinking","thinking":"hm",
      "signature":""},{"type":"tool_use","id":"toolu_x1","caller":{"type":"direct"},"name":"f","input":{"a":1}}])"));
  EXPECT_EQ(message.at("stop_reason"), "tool_use");
  answer.calls[0].arguments = R"({"a":)";
  answer.end.finish = TurnFinish::kLength;
  const auto cut = json::parse(writer.whole({answer}));
  EXPECT_EQ(cut.at("content").as_array().size(), 1U);
  EXPECT_EQ(cut.at("stop_reason"), "max_tokens");
}

}  // namespace
}  // namespace jarip

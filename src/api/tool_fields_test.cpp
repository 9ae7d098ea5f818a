#include "api/tool_fields.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <vector>

#include "api/anthropic_request.h"
#include "api/openai_request.h"
#include "api/responses_request.h"

namespace jarip {
namespace {

constexpr std::uint32_t kVocab = 10;
using Kind = ToolChoice::Kind;

constexpr const char* kChatTools =
    R"([{"type":"function","function":{"name":"f","description":"does","strict":true,
        "parameters":{"type":"object","properties":{"a":{"type":"string"}}}}},
       {"type":"function","function":{"name":"g"}}])";

Turn chat(const std::string& more, const std::string& messages = "") {
  const std::string body = R"({"messages":)" +
                           (messages.empty() ? R"([{"role":"user","content":"x"}])" : messages) +
                           (more.empty() ? "" : "," + more) + "}";
  auto request = parse_openai_request(OpenAiEndpoint::kChat, body, kVocab);
  if (!request) {
    ADD_FAILURE() << body << ": " << request.error().message;
    return {};
  }
  return std::move(request->turn);
}

Turn response(const std::string& members) {
  auto request = parse_responses_request("{" + members + "}", kVocab);
  if (!request) {
    ADD_FAILURE() << members << ": " << request.error().message;
    return {};
  }
  return std::move(request->turn);
}

Turn anthropic(const std::string& more, const std::string& messages = "") {
  const std::string body = R"({"max_tokens":9,"messages":)" +
                           (messages.empty() ? R"([{"role":"user","content":"x"}])" : messages) +
                           (more.empty() ? "" : "," + more) + "}";
  auto request = parse_anthropic_request(body, kVocab);
  if (!request) {
    ADD_FAILURE() << body << ": " << request.error().message;
    return {};
  }
  return std::move(request->turn);
}

const std::vector<Message>& messages_of(const Turn& turn) {
  return std::get<std::vector<Message>>(turn.input);
}

TEST(ToolFields, EveryDialectsFunctionsAreTheSame) {
  const Turn turns[] = {
      chat(std::string(R"("tools":)") + kChatTools),
      response(R"("input":"x","tools":[{"type":"function","name":"f","description":"does",
                   "strict":true,"parameters":{"type":"object","properties":{"a":
                   {"type":"string"}}}},{"type":"function","name":"g","parameters":null}])"),
      anthropic(R"("tools":[{"name":"f","description":"does","strict":true,"input_schema":
                   {"type":"object","properties":{"a":{"type":"string"}}}},
                   {"type":"custom","name":"g","input_schema":{}}])")};
  for (const Turn& turn : turns) {
    ASSERT_EQ(turn.tools.size(), 2U);
    EXPECT_EQ(turn.tools[0].name, "f");
    EXPECT_EQ(turn.tools[0].description, "does");
    EXPECT_TRUE(turn.tools[0].is_strict);
    EXPECT_EQ(turn.tools[0].parameters,
              R"({"type":"object","properties":{"a":{"type":"string"}}})");
    EXPECT_FALSE(turn.tools[1].is_strict);
    EXPECT_EQ(turn.tools[1].parameters, R"({"type":"object","properties":{}})");
    EXPECT_TRUE(turn.separates);
  }
  EXPECT_EQ(turns[0].tools[0].field, "tools[0].function.parameters");
  EXPECT_EQ(turns[2].tools[0].field, "tools[0].input_schema");
}

TEST(ToolFields, AChoiceMayAllowSomeFunctions) {
  const Turn turns[] = {
      chat(std::string(R"("tools":)") + kChatTools +
           R"(,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[
               {"type":"function","function":{"name":"g"}}]}})"),
      response(R"("input":"x","tools":[{"type":"function","name":"f"},
                   {"type":"function","name":"g"}],"tool_choice":{"type":"allowed_tools",
                   "mode":"required","tools":[{"type":"function","name":"g"}]})")};
  for (const Turn& turn : turns) {
    EXPECT_EQ(turn.tools.size(), 2U);
    EXPECT_EQ(turn.tool_choice.kind, Kind::kRequired);
    EXPECT_EQ(turn.tool_choice.allowed, std::vector<std::string>{"g"});
    EXPECT_TRUE(turn.tool_choice.allows("g"));
    EXPECT_FALSE(turn.tool_choice.allows("f"));
  }
}

TEST(ToolFields, WhatAChoiceAllowsIsChecked) {
  struct Row {
    std::string choice;
    std::string where;
  };
  const std::string item = R"({"type":"function","function":{"name":"g"}})";
  const Row table[] = {
      {R"({"type":"allowed_tools"})", "tool_choice.allowed_tools"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"any","tools":[)" + item + "]}}",
       "tool_choice.allowed_tools.mode"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}})",
       "tool_choice.allowed_tools.tools"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"auto"}})",
       "tool_choice.allowed_tools.tools"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"mcp"}]}})",
       "tool_choice.allowed_tools.tools[0].function"},
      {R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[)" + item +
           R"(,{"type":"function","function":{"name":"h"}}]}})",
       "tool_choice.allowed_tools.tools[1]"},
  };
  for (const Row& row : table) {
    const auto request =
        parse_openai_request(OpenAiEndpoint::kChat,
                             R"({"messages":[{"role":"user","content":"x"}],"tools":)" +
                                 std::string(kChatTools) + R"(,"tool_choice":)" + row.choice + "}",
                             kVocab);
    ASSERT_FALSE(request) << row.choice;
    EXPECT_EQ(request.error().where, row.where) << request.error().message;
  }
}

TEST(ToolFields, EveryDialectsChoicesAreTheSame) {
  struct Row {
    std::string chat;
    std::string response;
    std::string anthropic;
    Kind kind;
    std::string name;
  };
  const Row table[] = {
      {R"("none")", R"("none")", R"({"type":"none"})", Kind::kNone, ""},
      {R"("auto")", R"("auto")", R"({"type":"auto"})", Kind::kAuto, ""},
      {R"("required")", R"("required")", R"({"type":"any"})", Kind::kRequired, ""},
      {R"({"type":"function","function":{"name":"g"}})", R"({"type":"function","name":"g"})",
       R"({"type":"tool","name":"g"})", Kind::kNamed, "g"},
      {"null", "null", "null", Kind::kAuto, ""},
  };
  const std::string flat = R"("tools":[{"type":"function","name":"g"}],"tool_choice":)";
  for (const Row& row : table) {
    const Turn turns[] = {
        chat(std::string(R"("tools":)") + kChatTools + R"(,"tool_choice":)" + row.chat),
        response(R"("input":"x",)" + flat + row.response),
        anthropic(R"("tools":[{"name":"g","input_schema":{}}],"tool_choice":)" + row.anthropic)};
    for (const Turn& turn : turns) {
      EXPECT_EQ(turn.tool_choice.kind, row.kind) << row.chat;
      EXPECT_EQ(turn.tool_choice.name, row.name);
      EXPECT_TRUE(turn.tool_choice.is_parallel);
    }
  }
  EXPECT_FALSE(chat(R"("parallel_tool_calls":false)").tool_choice.is_parallel);
  EXPECT_FALSE(response(R"("input":"x","parallel_tool_calls":false)").tool_choice.is_parallel);
  EXPECT_FALSE(anthropic(R"("tool_choice":{"type":"auto","disable_parallel_tool_use":true})")
                   .tool_choice.is_parallel);
}

TEST(ToolFields, CallsAndResultsOfAChatComeBack) {
  const Turn turn = chat("", R"([{"role":"user","content":"x"},
      {"role":"assistant","content":null,"reasoning_content":"hm","reasoning":"hm","tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},
        {"id":"c2","type":"function","function":{"name":"g","arguments":""}}]},
      {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"one"}]},
      {"role":"tool","tool_call_id":"c2","content":"two"}])");
  const auto& messages = messages_of(turn);
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[1].reasoning, "hm");
  ASSERT_EQ(messages[1].calls.size(), 2U);
  EXPECT_EQ(messages[1].calls[0].arguments, R"({"a": 1})");
  EXPECT_EQ(messages[1].calls[1].arguments, "{}");
  EXPECT_EQ(messages[2].role, Role::kTool);
  EXPECT_EQ(messages[2].call_id, "c1");
  EXPECT_EQ(messages[2].content, "one");
}

TEST(ToolFields, ItemsOfAResponseBecomeTheMessagesOfAChat) {
  const Turn turn = response(R"("input":[{"role":"user","content":"x"},
      {"type":"reasoning","id":"rs_1","summary":[],
       "content":[{"type":"reasoning_text","text":"hm"}]},
      {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Look:"}]},
      {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}",
       "status":"completed"},
      {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
      {"type":"function_call_output","call_id":"c1","output":"one"},
      {"type":"function_call_output","call_id":"c2",
       "output":[{"type":"input_text","text":"two"}]}])");
  const auto& messages = messages_of(turn);
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[1].reasoning, "hm");
  EXPECT_EQ(messages[1].content, "Look:");
  ASSERT_EQ(messages[1].calls.size(), 2U);
  EXPECT_EQ(messages[1].calls[1].id, "c2");
  EXPECT_EQ(messages[3].call_id, "c2");
  EXPECT_EQ(messages[3].content, "two");
}

TEST(ToolFields, BlocksOfAMessageBecomeTheMessagesOfAChat) {
  const Turn turn = anthropic("", R"([{"role":"user","content":"x"},
      {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},
        {"type":"text","text":"Look:"},
        {"type":"tool_use","id":"toolu_1","name":"f","input":{"a":[1]}}]},
      {"role":"user","content":[
        {"type":"tool_result","tool_use_id":"toolu_1","content":"gone","is_error":true},
        {"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"two"}]},
        {"type":"text","text":"And now?"}]}])");
  const auto& messages = messages_of(turn);
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[1].reasoning, "hm");
  EXPECT_EQ(messages[1].content, "Look:");
  EXPECT_EQ(messages[1].calls[0].arguments, R"({"a":[1]})");
  EXPECT_EQ(messages[2].role, Role::kTool);
  EXPECT_EQ(messages[2].content, "Error: gone");
  EXPECT_EQ(messages[3].content, "two");
  EXPECT_EQ(messages[4].role, Role::kUser);
  EXPECT_EQ(messages[4].content, "And now?");
}

TEST(ToolFields, RefusesWhatItCannotHonourByPath) {
  struct Row {
    std::string more;
    const char* where;
  };
  const auto tool = [](const std::string& function) {
    return R"("tools":[{"type":"function","function":)" + function + "}]";
  };
  const Row table[] = {
      {R"("tools":{})", "tools"},
      {R"("tools":[1])", "tools[0]"},
      {tool("{}"), "tools[0].function.name"},
      {tool(R"({"name":""})"), "tools[0].function.name"},
      {tool(R"({"name":"a b"})"), "tools[0].function.name"},
      {tool("{\"name\":\"" + std::string(129, 'a') + "\"}"), "tools[0].function.name"},
      {tool(R"({"name":"f","parameters":[]})"), "tools[0].function.parameters"},
      {tool(R"({"name":"f","parameters":{"type":"string"}})"), "tools[0].function.parameters.type"},
      {tool(R"({"name":"f","returns":{}})"), "tools[0].function.returns"},
      {R"("tools":[{"type":"function","function":{"name":"f"}},
                   {"type":"function","function":{"name":"f"}}])",
       "tools[1]"},
      {tool(R"({"name":"f"})") + R"(,"tool_choice":{"type":"function","function":{"name":"g"}})",
       "tool_choice.function.name"},
  };
  for (const Row& row : table) {
    const auto request = parse_openai_request(
        OpenAiEndpoint::kChat, R"({"messages":[{"role":"user","content":"x"}],)" + row.more + "}",
        kVocab);
    ASSERT_FALSE(request) << row.more;
    EXPECT_EQ(request.error().where, row.where) << request.error().message;
  }
  for (const Row& row :
       {Row{R"("tool_choice":{"type":"any"})", "tool_choice"},
        Row{R"("tool_choice":{"type":"required"})", "tool_choice.type"},
        Row{R"("tool_choice":{"type":"tool"})", "tool_choice.name"},
        Row{R"("tool_choice":{"type":"auto","name":"f"})", "tool_choice.name"},
        Row{R"("tools":[{"type":"bash_20250124","name":"bash"}])", "tools[0].type"}}) {
    const auto request = parse_anthropic_request(
        R"({"max_tokens":1,"messages":[{"role":"user","content":"x"}],)" + row.more + "}", kVocab);
    ASSERT_FALSE(request) << row.more;
    EXPECT_EQ(request.error().where, row.where) << request.error().message;
  }
  for (const auto& [messages, where] : {
           std::pair{R"([{"role":"user","content":[{"type":"tool_use","id":"t","name":"f",
                         "input":{}}]}])",
                     "messages[0].content[0].type"},
           std::pair{R"([{"role":"assistant","content":[{"type":"redacted_thinking",
                         "data":"x"}]}])",
                     "messages[0].content[0].type"},
           std::pair{R"([{"role":"user","content":[{"type":"tool_result"}]}])",
                     "messages[0].content[0].tool_use_id"},
       }) {
    const auto request = parse_anthropic_request(
        std::string(R"({"max_tokens":1,"messages":)") + messages + "}", kVocab);
    ASSERT_FALSE(request) << messages;
    EXPECT_EQ(request.error().where, where) << request.error().message;
  }
}

}  // namespace
}  // namespace jarip

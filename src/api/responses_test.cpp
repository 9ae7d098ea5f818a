#include "api/responses.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <set>
#include <string>
#include <vector>

namespace jarip {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kVocab = 100;

std::string body(const std::string& more = {}) {
  return R"({"model":"m","input":"hi")" + (more.empty() ? "" : "," + more) + "}";
}

ResponsesRequest parsed(const std::string& text) {
  auto request = parse_responses_request(text, kVocab);
  if (request) return *std::move(request);
  ADD_FAILURE() << text << ": " << request.error().message;
  return {};
}

std::vector<Message> messages_of(const std::string& text) {
  return std::get<std::vector<Message>>(parsed(text).turn.input);
}

TEST(ResponsesRequest, ReadsInputOfEveryForm) {
  EXPECT_EQ(messages_of(body()).at(0).content, "hi");
  const auto messages = messages_of(
      R"({"instructions":"be brief","input":[
          {"role":"developer","content":"a"},
          {"type":"message","role":"user","content":[{"type":"input_text","text":"b"},
                                                     {"type":"input_text","text":"c"}]},
          {"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[
            {"type":"output_text","text":"d","annotations":[],"logprobs":[]}]},
          {"role":"user","content":"e"}]})");
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[0].role, Role::kSystem);
  EXPECT_EQ(messages[0].content, "be brief");
  EXPECT_EQ(messages[1].role, Role::kSystem);
  EXPECT_EQ(messages[2].content, "bc");
  EXPECT_EQ(messages[3].role, Role::kAssistant);
  EXPECT_EQ(messages[3].content, "d");
}

TEST(ResponsesRequest, AcceptsWhatChangesNothing) {
  for (const char* field :
       {R"("store":false)", R"("store":null)", R"("background":false)", R"("tools":[])",
        R"("tool_choice":"auto")", R"("truncation":"disabled")", R"("metadata":{"a":"b"})",
        R"("reasoning":{"effort":null,"summary":null})", R"("reasoning":{"summary":"auto"})",
        R"("text":{"format":{"type":"text"}})", R"("previous_response_id":null)", R"("include":[])",
        R"("include":["reasoning.encrypted_content"])", R"("service_tier":"auto")",
        R"("parallel_tool_calls":false)", R"("user":"u")"}) {
    EXPECT_TRUE(parse_responses_request(body(field), kVocab)) << field;
  }
}

TEST(ResponsesRequest, SaysHowMuchToThink) {
  const ResponsesRequest request = parsed(body(R"("reasoning":{"effort":"low"})"));
  EXPECT_EQ(request.turn.thinking.effort, "low");
  EXPECT_EQ(request.turn.thinking.field, "reasoning.effort");
  EXPECT_EQ(request.echo.effort, R"("low")");
  EXPECT_EQ(parsed(body(R"("reasoning":{"effort":"none"})")).turn.thinking.wanted, false);
}

TEST(ResponsesRequest, LogprobsComeWhenIncludedOrCounted) {
  EXPECT_FALSE(parsed(body()).turn.n_logprobs);
  EXPECT_EQ(parsed(body(R"("include":["message.output_text.logprobs"])")).turn.n_logprobs, 0U);
  EXPECT_EQ(parsed(body(R"("top_logprobs":5)")).turn.n_logprobs, 5U);
  EXPECT_FALSE(parsed(body(R"("top_logprobs":0)")).turn.n_logprobs);
}

TEST(ResponsesRequest, AFormatIsHeldToAndRepeated) {
  const auto request = parsed(
      body(R"("text":{"format":{"type":"json_schema","name":"n","schema":{"type":"null"}}})"));
  ASSERT_TRUE(request.turn.form);
  EXPECT_EQ(request.turn.form->source,
            (GrammarSource{GrammarKind::kJsonSchema, R"({"type":"null"})"}));
  EXPECT_EQ(request.turn.form->field, "text.format.schema");
  EXPECT_EQ(json::parse(request.echo.format),
            json::parse(R"({"type":"json_schema","name":"n","schema":{"type":"null"},
                            "description":null,"strict":true})"));
  EXPECT_TRUE(parsed(body(R"("text":{"format":{"type":"json_object"}})")).turn.form);
}

TEST(ResponsesRequest, RefusesWhatItCannotHonourByPath) {
  struct Row {
    std::string body;
    const char* where;
  };
  const Row table[] = {
      {"{}", "input"},
      {R"({"input":[]})", "input"},
      {R"({"input":5})", "input"},
      {R"({"input":["x"]})", "input[0]"},
      {R"({"input":[{"type":"web_search_call","id":"c"}]})", "input[0].type"},
      {R"({"input":[{"type":"function_call_output","output":"x"}]})", "input[0].call_id"},
      {R"({"input":[{"type":"reasoning","summary":[],"encrypted_content":"x"}]})",
       "input[0].encrypted_content"},
      {R"({"input":[{"role":"tool","content":"x"}]})", "input[0].role"},
      {R"({"input":[{"role":"user"}]})", "input[0].content"},
      {R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]})",
       "input[0].content[0].type"},
      {body(R"("store":true)"), "store"},
      {body(R"("background":true)"), "background"},
      {body(R"("previous_response_id":"resp_1")"), "previous_response_id"},
      {body(R"("conversation":"conv_1")"), "conversation"},
      {body(R"("truncation":"auto")"), "truncation"},
      {body(R"("tools":[{"type":"web_search"}])"), "tools[0].type"},
      {body(R"("reasoning":{"effort":"much"})"), "reasoning.effort"},
      {body(R"("reasoning":{"summary":"detailed"})"), "reasoning.summary"},
      {body(R"("text":{"format":{"type":"xml"}})"), "text.format.type"},
      {body(R"("text":{"format":{"type":"json_schema","name":"n"}})"), "text.format.schema"},
      {body(R"("include":["file_search_call.results"])"), "include[0]"},
      {body(R"("stream_options":{"include_obfuscation":false})"), "stream_options"},
      {body(R"("max_output_tokens":0)"), "max_output_tokens"},
      {body(R"("n":1)"), "n"},
  };
  for (const Row& row : table) {
    const auto request = parse_responses_request(row.body, kVocab);
    ASSERT_FALSE(request) << row.body;
    EXPECT_EQ(request.error().where, row.where) << request.error().message;
  }
  // What can't be done says why.
  EXPECT_NE(parse_responses_request(body(R"("store":true)"), kVocab)
                .error()
                .message.find("no responses are kept here"),
            std::string::npos);
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

ResponsesWriter writer_of(const std::string& request) {
  ResponsesWriter writer({"resp_1", "msg_1", "tiny", 7, parsed(request).echo});
  writer.set_started({.ids = {1}, .n_prompt_tokens = 9, .seed = 5});
  return writer;
}

std::vector<json::value> events_of(std::string_view stream) {
  std::vector<json::value> events;
  while (!stream.empty()) {
    const std::size_t line = stream.find('\n');
    const std::size_t end = stream.find("\n\n");
    events.push_back(json::parse(stream.substr(line + 7, end - line - 7)));
    EXPECT_EQ(std::string(events.back().at("type").as_string()), stream.substr(7, line - 7));
    EXPECT_EQ(events.back().at("sequence_number").as_int64(),
              static_cast<std::int64_t>(events.size()) - 1);
    stream.remove_prefix(end + 2);
  }
  return events;
}

std::vector<std::string> types_of(const std::vector<json::value>& events) {
  std::vector<std::string> types;
  for (const json::value& event : events) types.emplace_back(event.at("type").as_string());
  return types;
}

TEST(ResponsesReply, StreamsEveryEventOfAnAnswerInOrder) {
  ResponsesWriter writer = writer_of(body(R"("metadata":{"a":"b"},"instructions":"i")"));
  std::string out;
  writer.append_begin(out);
  writer.append_delta(out, 0, {"Hel", {}});
  writer.append_delta(out, 0, {"lo", {}});
  writer.append_end(out, 0, ended(TurnFinish::kStop));
  const auto events = events_of(out);
  EXPECT_EQ(types_of(events),
            (std::vector<std::string>{"response.created", "response.in_progress",
                                      "response.output_item.added", "response.content_part.added",
                                      "response.output_text.delta", "response.output_text.delta",
                                      "response.output_text.done", "response.content_part.done",
                                      "response.output_item.done", "response.completed"}));
  EXPECT_EQ(events[0].at("response").at("status"), "in_progress");
  EXPECT_TRUE(events[0].at("response").at("usage").is_null());
  EXPECT_EQ(events[0].at("response").at("metadata"), json::parse(R"({"a":"b"})"));
  EXPECT_EQ(events[0].at("response").at("instructions"), "i");
  EXPECT_EQ(events[0].at("response").at("store"), json::value(false));
  EXPECT_EQ(events[0].at("response").at("seed").as_int64(), 5);
  EXPECT_EQ(events[5].at("delta"), "lo");
  EXPECT_EQ(events[5].at("item_id"), "msg_1");
  EXPECT_EQ(events[6].at("text"), "Hello");
  const json::value& response = events[9].at("response");
  EXPECT_EQ(response.at("id"), "resp_1");
  EXPECT_EQ(response.at("output").at(0), events[8].at("item"));
  EXPECT_EQ(response.at("output").at(0).at("content").at(0).at("text"), "Hello");
  EXPECT_EQ(response.at("usage").at("total_tokens").as_int64(), 11);
  EXPECT_EQ(response.at("usage").at("input_tokens_details").at("cached_tokens").as_int64(), 4);
}

TEST(ResponsesReply, ACutAnswerIsIncompleteAndSaysWhy) {
  ResponsesWriter writer = writer_of(body(R"("max_output_tokens":2)"));
  std::string out;
  writer.append_begin(out);
  writer.append_end(out, 0, ended(TurnFinish::kLength));
  const auto events = events_of(out);
  EXPECT_EQ(types_of(events).back(), "response.incomplete");
  const json::value& response = events.back().at("response");
  EXPECT_EQ(response.at("status"), "incomplete");
  EXPECT_EQ(response.at("incomplete_details").at("reason"), "max_output_tokens");
  EXPECT_EQ(response.at("max_output_tokens").as_int64(), 2);
  const auto whole = json::parse(writer.whole({{"Hello", {}, ended(TurnFinish::kLength)}}));
  EXPECT_EQ(whole.at("output").at(0).at("status"), "incomplete");
}

TEST(ResponsesReply, AFailureInMidStreamIsAFailedResponse) {
  ResponsesWriter writer = writer_of(body());
  std::string out;
  writer.append_begin(out);
  writer.append_error(out, {ErrorCode::kInternal, "bad", {}});
  const auto events = events_of(out);
  EXPECT_EQ(types_of(events).back(), "response.failed");
  EXPECT_EQ(events.back().at("response").at("error").at("message"), "bad");
}

TEST(ResponsesReply, LogprobsWaitForTheTextTheyBelongTo) {
  ResponsesWriter writer = writer_of(body(R"("top_logprobs":1)"));
  const TokenDetail first{{1, "\xED\x95", -1}, {}};
  const TokenDetail second{{2, "\x9C", -2}, {}};
  std::string out;
  writer.append_begin(out);
  writer.append_delta(out, 0, {"", {first}});
  writer.append_delta(out, 0, {"한", {second}});
  writer.append_end(out, 0, ended(TurnFinish::kStop));
  const auto events = events_of(out);
  EXPECT_EQ(events[4].at("type"), "response.output_text.delta");
  EXPECT_EQ(events[4].at("logprobs").as_array().size(), 2U);
  EXPECT_EQ(events[5].at("logprobs").as_array().size(), 2U);
}

TEST(ResponsesReply, ReasoningTextAndCallsAreItemsInSequence) {
  ResponsesWriter writer = writer_of(
      body(R"("tools":[{"type":"function","name":"f","strict":true}],"tool_choice":"required")"));
  std::string out;
  writer.append_begin(out);
  writer.append_reasoning(out, 0, {"hm"});
  writer.append_delta(out, 0, {"Look:", {}});
  writer.append_call(out, 0, {0, "x1", "f", R"({"a")"});
  writer.append_call(out, 0, {0, "", "", ":1}"});
  writer.append_end(out, 0, ended(TurnFinish::kStop));
  const auto events = events_of(out);
  EXPECT_EQ(types_of(events), (std::vector<std::string>{"response.created",
                                                        "response.in_progress",
                                                        "response.output_item.added",
                                                        "response.content_part.added",
                                                        "response.reasoning_text.delta",
                                                        "response.reasoning_text.done",
                                                        "response.content_part.done",
                                                        "response.output_item.done",
                                                        "response.output_item.added",
                                                        "response.content_part.added",
                                                        "response.output_text.delta",
                                                        "response.output_text.done",
                                                        "response.content_part.done",
                                                        "response.output_item.done",
                                                        "response.output_item.added",
                                                        "response.function_call_arguments.delta",
                                                        "response.function_call_arguments.delta",
                                                        "response.function_call_arguments.done",
                                                        "response.output_item.done",
                                                        "response.completed"}));
  EXPECT_EQ(events[17].at("arguments"), R"({"a":1})");
  EXPECT_EQ(events[17].at("name"), "f");
  EXPECT_EQ(events[17].at("item_id"), events[14].at("item").at("id"));
  EXPECT_EQ(events[17].at("output_index").as_int64(), 2);
  EXPECT_EQ(events[14].at("item").at("status"), "in_progress");
  const json::value& response = events.back().at("response");
  EXPECT_EQ(response.at("tool_choice"), "required");
  EXPECT_EQ(response.at("tools").at(0).at("name"), "f");
  const json::array& output = response.at("output").as_array();
  ASSERT_EQ(output.size(), 3U);
  EXPECT_EQ(output[0].at("content").at(0), json::parse(R"({"type":"reasoning_text","text":"hm"})"));
  EXPECT_EQ(output[2].at("type"), "function_call");
  EXPECT_EQ(output[2].at("call_id"), "call_x1");
  EXPECT_EQ(output[2], events[18].at("item"));
  const auto whole = json::parse(
      writer.whole({{"Look:", {}, ended(TurnFinish::kStop), "hm", {{"x1", "f", R"({"a":1})"}}}}));
  EXPECT_EQ(whole.at("output"), json::value(output));
}

}  // namespace
}  // namespace jarip

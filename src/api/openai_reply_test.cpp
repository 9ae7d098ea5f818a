#include "api/openai_reply.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <limits>
#include <string>
#include <vector>

namespace jarip {
namespace {

namespace json = boost::json;

AnswerHeader header(OpenAiEndpoint endpoint) {
  return {endpoint, "id-1", 7, "a \"model\"", "fp_1"};
}

TurnEnd ended(TurnFinish finish) {
  TurnEnd end;
  end.finish = finish;
  end.n_prompt_tokens = 5;
  end.n_cached_tokens = 2;
  end.n_new_tokens = 3;
  end.n_reasoning_tokens = 1;
  end.seed = 0xFFFFFFFFFFFFFFFFU;  // as JSON's readers take it: -1
  return end;
}

// The JSON of every event; "[DONE]" as a string.
std::vector<json::value> events_of(const std::string& stream) {
  std::vector<json::value> events;
  std::string_view rest = stream;
  while (!rest.empty()) {
    EXPECT_TRUE(rest.starts_with("data: ")) << rest;
    const std::size_t end = rest.find("\n\n");
    if (end == std::string_view::npos) {
      ADD_FAILURE() << "an event has no end: " << rest;
      break;
    }
    const std::string_view data = rest.substr(6, end - 6);
    events.push_back(data == "[DONE]" ? json::value(json::string("[DONE]")) : json::parse(data));
    rest.remove_prefix(end + 2);
  }
  return events;
}

TokenDetail detail(const std::string& bytes, float logprob) {
  return {{1, bytes, logprob}, {{1, bytes, logprob}, {2, "z", -3.5F}}};
}

TEST(OpenAiReply, StreamsAChatAsItsClientsExpect) {
  OpenAiWriter writer(header(OpenAiEndpoint::kChat), 1, false);
  std::string out;
  writer.append_delta(out, 0, {"Hel\"lo\n", {}});
  writer.append_delta(out, 0, {"한", {}});
  writer.append_end(out, 0, ended(TurnFinish::kStop));
  writer.append_finish(out);
  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 5U);
  const std::string common =
      R"("object":"chat.completion.chunk","created":7,"model":"a \"model\"","system_fingerprint":"fp_1",)";
  auto chunk = [&](const std::string& delta, const std::string& reason) {
    return json::parse(R"({"id":"id-1",)" + common + R"("choices":[{"index":0,"delta":)" + delta +
                       R"(,"logprobs":null,"finish_reason":)" + reason + "}]}");
  };
  EXPECT_EQ(events[0], chunk(R"({"role":"assistant","content":""})", "null"));
  EXPECT_EQ(events[1], chunk(R"({"content":"Hel\"lo\n"})", "null"));
  EXPECT_EQ(events[2], chunk(R"({"content":"한"})", "null"));
  EXPECT_EQ(events[3], chunk("{}", R"("stop","seed":-1)"));
  EXPECT_EQ(events[4].as_string(), "[DONE]");
}

TEST(OpenAiReply, UsageComesInAChunkOfItsOwnAndOnlyWhenAsked) {
  OpenAiWriter writer(header(OpenAiEndpoint::kChat), 1, true);
  std::string out;
  writer.append_delta(out, 0, {"x", {}});
  writer.append_end(out, 0, ended(TurnFinish::kLength));
  writer.append_finish(out);
  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 5U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(events[i].at("usage").is_null());
    EXPECT_EQ(events[i].at("choices").as_array().size(), 1U);
  }
  EXPECT_EQ(events[2].at("choices").at(0).at("finish_reason"), "length");
  EXPECT_TRUE(events[3].at("choices").as_array().empty());
  EXPECT_EQ(events[3].at("usage"),
            json::parse(R"({"prompt_tokens":5,"completion_tokens":3,"total_tokens":8,
                            "prompt_tokens_details":{"cached_tokens":2},
                            "completion_tokens_details":{"reasoning_tokens":1}})"));
}

TEST(OpenAiReply, AnEmptyAnswerStillHasItsRoleAndItsEnd) {
  OpenAiWriter writer(header(OpenAiEndpoint::kChat), 1, false);
  std::string out;
  writer.append_end(out, 0, ended(TurnFinish::kStop));
  writer.append_finish(out);
  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].at("choices").at(0).at("delta").at("role"), "assistant");
  EXPECT_TRUE(events[1].at("choices").at(0).at("delta").as_object().empty());
}

TEST(OpenAiReply, StreamsATextWithoutRoles) {
  OpenAiWriter writer(header(OpenAiEndpoint::kCompletions), 1, false);
  std::string out;
  writer.append_delta(out, 0, {"x", {}});
  writer.append_end(out, 0, ended(TurnFinish::kLength));
  writer.append_finish(out);
  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].at("object"), "text_completion");
  EXPECT_EQ(events[0].at("choices").at(0),
            json::parse(R"({"text":"x","index":0,"logprobs":null,"finish_reason":null})"));
  EXPECT_EQ(
      events[1].at("choices").at(0),
      json::parse(R"({"text":"","index":0,"logprobs":null,"finish_reason":"length","seed":-1})"));
}

TEST(OpenAiReply, ADeltaThatIsOnlyLogprobsHasNoEmptyContent) {
  OpenAiWriter writer(header(OpenAiEndpoint::kChat), 1, false);
  std::string out;
  writer.append_delta(out, 0, {"", {detail("a", -0.5F)}});
  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(events[1].at("choices").at(0).at("delta").as_object().empty());
  EXPECT_EQ(events[1].at("choices").at(0).at("logprobs").at("content").at(0).at("token"), "a");
}

TEST(OpenAiReply, ChatLogprobsHaveTheExactBytes) {
  OpenAiWriter writer(header(OpenAiEndpoint::kChat), 1, false);
  std::string out;
  writer.append_delta(
      out, 0,
      {"a", {detail("\xED\x95", -std::numeric_limits<float>::infinity()), detail("\"", -0.25F)}});
  const auto content = events_of(out)[1].at("choices").at(0).at("logprobs").at("content");
  EXPECT_EQ(content.at(0).at("token"), "\xEF\xBF\xBD");
  EXPECT_EQ(content.at(0).at("bytes"), json::parse("[237,149]"));
  EXPECT_EQ(content.at(0).at("logprob").to_number<double>(), -9999.0);
  EXPECT_EQ(content.at(1).at("token"), "\"");
  EXPECT_EQ(content.at(1).at("logprob").to_number<double>(), -0.25);
  EXPECT_EQ(content.at(1).at("top_logprobs").at(1),
            json::parse(R"({"token":"z","logprob":-3.5,"bytes":[122]})"));
}

TEST(OpenAiReply, TextLogprobsCountCharactersOverAllChunks) {
  OpenAiWriter writer(header(OpenAiEndpoint::kCompletions), 1, false);
  std::string out;
  writer.append_delta(out, 0, {"한a", {detail("한", -1), detail("a", -2)}});
  writer.append_delta(out, 0, {"b", {detail("b", -3)}});
  const auto events = events_of(out);
  EXPECT_EQ(events[0].at("choices").at(0).at("logprobs"),
            json::parse(R"({"tokens":["한","a"],"token_logprobs":[-1,-2],
                            "top_logprobs":[{"한":-1,"z":-3.5},{"a":-2,"z":-3.5}],
                            "text_offset":[0,1]})"));
  EXPECT_EQ(events[1].at("choices").at(0).at("logprobs").at("text_offset"), json::parse("[2]"));
}

TEST(OpenAiReply, AWholeAnswerIsTheStreamPutTogether) {
  const auto answer = json::parse(
      OpenAiWriter(header(OpenAiEndpoint::kChat), 1, false)
          .whole({{"ab", {detail("a", -1), detail("b", -2)}, ended(TurnFinish::kStop)}}));
  EXPECT_EQ(answer.at("object"), "chat.completion");
  EXPECT_EQ(answer.at("choices").at(0).at("message").at("content"), "ab");
  EXPECT_EQ(answer.at("choices").at(0).at("message").at("role"), "assistant");
  EXPECT_EQ(answer.at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_EQ(answer.at("choices").at(0).at("logprobs").at("content").as_array().size(), 2U);
  EXPECT_EQ(answer.at("usage").at("total_tokens").as_int64(), 8);
  const auto text = json::parse(OpenAiWriter(header(OpenAiEndpoint::kCompletions), 1, false)
                                    .whole({{"a", {}, ended(TurnFinish::kLength)}}));
  EXPECT_EQ(
      text.at("choices").at(0),
      json::parse(R"({"index":0,"text":"a","logprobs":null,"finish_reason":"length","seed":-1})"));
}

TEST(OpenAiReply, SeveralChoicesAreToldApartAndThePromptCountsOnce) {
  const auto whole = json::parse(
      OpenAiWriter(header(OpenAiEndpoint::kChat), 2, false)
          .whole({{"a", {}, ended(TurnFinish::kStop)}, {"b", {}, ended(TurnFinish::kLength)}}));
  EXPECT_EQ(whole.at("choices").at(1).at("index").as_int64(), 1);
  EXPECT_EQ(whole.at("choices").at(1).at("message").at("content"), "b");
  EXPECT_EQ(whole.at("choices").at(1).at("finish_reason"), "length");
  const auto usage = json::parse(R"({"prompt_tokens":5,"completion_tokens":6,"total_tokens":11,
                                     "prompt_tokens_details":{"cached_tokens":2},
                                     "completion_tokens_details":{"reasoning_tokens":2}})");
  EXPECT_EQ(whole.at("usage"), usage);
  OpenAiWriter writer(header(OpenAiEndpoint::kChat), 2, true);
  std::string out;
  writer.append_delta(out, 1, {"b", {}});
  writer.append_delta(out, 0, {"a", {}});
  writer.append_end(out, 1, ended(TurnFinish::kStop));
  writer.append_end(out, 0, ended(TurnFinish::kStop));
  writer.append_finish(out);
  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 8U);
  const int expected[] = {1, 1, 0, 0, 1, 0};
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(events[i].at("choices").at(0).at("index").as_int64(), expected[i]) << i;
  }
  EXPECT_EQ(events[0].at("choices").at(0).at("delta").at("role"), "assistant");
  EXPECT_EQ(events[2].at("choices").at(0).at("delta").at("role"), "assistant");
  EXPECT_EQ(events[6].at("usage"), usage);
}

TEST(OpenAiReply, EveryPromptCountsOnce) {
  TurnEnd other = ended(TurnFinish::kStop);
  other.n_prompt_tokens = 50;
  other.n_cached_tokens = 20;
  const std::vector<WholeAnswer> answers = {{"a", {}, ended(TurnFinish::kStop)},
                                            {"b", {}, ended(TurnFinish::kStop)},
                                            {"c", {}, other},
                                            {"d", {}, other}};
  const auto usage = json::parse(R"({"prompt_tokens":55,"completion_tokens":12,"total_tokens":67,
                                     "prompt_tokens_details":{"cached_tokens":22}})");
  OpenAiWriter writer(header(OpenAiEndpoint::kCompletions), 2, true, 2);
  EXPECT_EQ(json::parse(writer.whole(answers)).at("usage"), usage);
  std::string out;
  for (std::uint32_t i = 0; i < answers.size(); ++i) writer.append_end(out, i, answers[i].end);
  writer.append_finish(out);
  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 6U);
  EXPECT_EQ(events[3].at("choices").at(0).at("index").as_int64(), 3);
  EXPECT_EQ(events[4].at("usage"), usage);
}

TEST(OpenAiReply, OnlyFailedAndInterruptedAnswersAreFailures) {
  EXPECT_FALSE(failure_of(ended(TurnFinish::kStop)));
  EXPECT_FALSE(failure_of(ended(TurnFinish::kLength)));
  EXPECT_EQ(failure_of(ended(TurnFinish::kCancelled))->code, ErrorCode::kUnavailable);
  TurnEnd failed = ended(TurnFinish::kFailed);
  failed.error = Error{ErrorCode::kInternal, "bad", {}};
  EXPECT_EQ(failure_of(failed)->message, "bad");
}

TEST(OpenAiReply, StreamsReasoningAndCallsAsTheirClientsExpect) {
  OpenAiWriter writer(header(OpenAiEndpoint::kChat), 1, false);
  std::string out;
  writer.append_reasoning(out, 0, {"hm"});
  writer.append_delta(out, 0, {"Look:", {}});
  writer.append_call(out, 0, {0, "x1", "f", R"({"a")"});
  writer.append_call(out, 0, {0, "", "", ":1}"});
  writer.append_call(out, 0, {1, "x2", "g", "{}"});
  writer.append_end(out, 0, ended(TurnFinish::kStop));
  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 7U);
  const auto delta = [&](std::size_t i) { return events[i].at("choices").at(0).at("delta"); };
  EXPECT_EQ(delta(0), json::parse(R"({"role":"assistant","content":""})"));
  EXPECT_EQ(delta(1), json::parse(R"({"reasoning_content":"hm","reasoning":"hm"})"));
  EXPECT_EQ(delta(2), json::parse(R"({"content":"Look:"})"));
  EXPECT_EQ(delta(3), json::parse(R"({"tool_calls":[{"index":0,"id":"call_x1","type":"function",
                                      "function":{"name":"f","arguments":"{\"a\""}}]})"));
  EXPECT_EQ(delta(4),
            json::parse(R"({"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]})"));
  EXPECT_EQ(delta(5), json::parse(R"({"tool_calls":[{"index":1,"id":"call_x2","type":"function",
                                      "function":{"name":"g","arguments":"{}"}}]})"));
  EXPECT_EQ(events[6].at("choices").at(0).at("finish_reason"), "tool_calls");
}

TEST(OpenAiReply, AWholeAnswerHasItsReasoningAndCalls) {
  OpenAiWriter writer(header(OpenAiEndpoint::kChat), 1, false);
  const auto choice = [&](const WholeAnswer& answer) {
    return json::parse(writer.whole({answer})).at("choices").at(0);
  };
  WholeAnswer answer{"", {}, ended(TurnFinish::kStop), "hm", {{"x1", "f", R"({"a":1})"}}};
  EXPECT_EQ(choice(answer).at("message"),
            json::parse(R"({"role":"assistant","content":null,"refusal":null,"annotations":[],
                            "reasoning_content":"hm","reasoning":"hm","tool_calls":[{"id":"call_x1",
                            "type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]})"));
  EXPECT_EQ(choice(answer).at("finish_reason"), "tool_calls");
  answer.end.finish = TurnFinish::kLength;
  EXPECT_EQ(choice(answer).at("finish_reason"), "length");
}

}  // namespace
}  // namespace jarip

#include "app/answer.h"

#include <gtest/gtest.h>

#include <array>

namespace jarip {
namespace {

// A vocabulary of five tokens; the last is a control token.
constexpr std::array<std::string_view, 5> kTokens = {"Hel", "lo", " wor", "ld", "<|end|>"};

TokenText text_of_token(TokenId token) { return {kTokens[token], token == 4}; }

// What the sink was given, and which sequences were cancelled.
struct Heard {
  std::string text;
  std::vector<TextDelta> deltas;
  std::optional<TurnEnd> end;
  std::vector<SequenceId> cancelled;

  AnswerRequest request(std::vector<std::string> stop = {}) {
    return {.stop = std::move(stop),
            .min_indent = 0,
            .line_time_ms = {},
            .echo = {},
            .seed = 42,
            .text_of = text_of_token,
            .cancel = [this](SequenceId id) { cancelled.push_back(id); },
            .sink =
                [this](TurnEvent event) {
                  ASSERT_FALSE(end) << "something came after the end";
                  if (auto* delta = std::get_if<TextDelta>(&event)) {
                    text += delta->text;
                    deltas.push_back(std::move(*delta));
                  } else {
                    end = std::get<TurnEnd>(std::move(event));
                  }
                }};
  }
};

TokenEvent token(TokenId id) {
  return {.token = id, .index = 0, .logprob = {}, .alternatives = {}};
}

EndEvent end(FinishReason reason) {
  EndEvent event;
  event.reason = reason;
  event.n_prompt_tokens = 3;
  event.n_new_tokens = 2;
  event.prefill_ms = 1.5;
  return event;
}

TEST(AnswerTest, TokensBecomeTextAndTheEndCarriesTheCounts) {
  Heard heard;
  Answer answer(heard.request());
  answer.started(1);
  for (const TokenId id : {0, 1, 2, 3}) answer.take(token(id));
  EndEvent last = end(FinishReason::kEndToken);
  last.end_token = 4;
  answer.take(last);
  EXPECT_EQ(heard.text, "Hello world");
  ASSERT_TRUE(heard.end);
  EXPECT_EQ(heard.end->finish, TurnFinish::kStop);
  EXPECT_EQ(heard.end->n_prompt_tokens, 3U);
  EXPECT_EQ(heard.end->n_new_tokens, 3U) << "the end token counts";
  EXPECT_EQ(heard.end->seed, 42U);
  EXPECT_EQ(heard.end->prefill_ms, 1.5);
  EXPECT_FALSE(heard.end->error);
  EXPECT_TRUE(heard.cancelled.empty());
}

TEST(AnswerTest, AStopStringEndsTheTextAndCancelsTheSequenceOnce) {
  Heard heard;
  Answer answer(heard.request({"o w"}));
  answer.started(7);
  for (const TokenId id : {0, 1, 2, 3}) answer.take(token(id));
  answer.take(end(FinishReason::kCancelled));
  EXPECT_EQ(heard.text, "Hell");
  EXPECT_EQ(heard.cancelled, std::vector<SequenceId>{7});
  ASSERT_TRUE(heard.end);
  EXPECT_EQ(heard.end->finish, TurnFinish::kStop);
  EXPECT_EQ(heard.end->stop, "o w");
}

TEST(AnswerTest, AStopBeforeTheIdIsKnownCancelsAsSoonAsItIs) {
  Heard heard;
  Answer answer(heard.request({"Hello"}));
  answer.take(token(0));
  answer.take(token(1));
  EXPECT_TRUE(heard.cancelled.empty());
  answer.started(9);
  EXPECT_EQ(heard.cancelled, std::vector<SequenceId>{9});
}

TEST(AnswerTest, PastItsTimeTheAnswerEndsWithItsLine) {
  Heard heard;
  double now = 0;
  AnswerRequest request = heard.request();
  request.line_time_ms = 100;
  request.now_ms = [&now] { return now; };
  request.text_of = [](TokenId token) { return TokenText{token == 1 ? "\n" : "x", false}; };
  Answer answer(std::move(request));
  answer.started(7);
  for (const TokenId id : {0, 1, 0}) answer.take(token(id));
  EXPECT_TRUE(heard.cancelled.empty());
  now = 101;
  answer.take(token(0));
  EXPECT_TRUE(heard.cancelled.empty());
  for (const TokenId id : {1, 0}) answer.take(token(id));
  EXPECT_EQ(heard.cancelled, std::vector<SequenceId>{7});
  answer.take(end(FinishReason::kCancelled));
  EXPECT_EQ(heard.text, "x\nxx\n");
  EXPECT_EQ(heard.end->finish, TurnFinish::kLength);
}

TEST(AnswerTest, WhatWasHeldBackComesBeforeTheEnd) {
  Heard heard;
  Answer answer(heard.request({"lo!"}));
  answer.take(token(0));
  answer.take(token(1));
  EXPECT_EQ(heard.text, "Hel");
  answer.take(end(FinishReason::kLength));
  EXPECT_EQ(heard.text, "Hello");
  EXPECT_EQ(heard.end->finish, TurnFinish::kLength);
}

TEST(AnswerTest, ControlTokensAreNoText) {
  Heard heard;
  Answer answer(heard.request());
  answer.take(token(4));
  EXPECT_TRUE(heard.deltas.empty());
  answer.take(token(0));
  EXPECT_EQ(heard.text, "Hel");
}

TEST(AnswerTest, TheEchoComesFirst) {
  Heard heard;
  AnswerRequest request = heard.request({"Say"});
  request.echo = "Say: ";
  Answer answer(std::move(request));
  answer.take(token(0));
  answer.take(end(FinishReason::kEndToken));
  EXPECT_EQ(heard.text, "Say: Hel");
  EXPECT_EQ(heard.end->finish, TurnFinish::kStop);
}

TEST(AnswerTest, CancellingAndFailingAreReportedAsTheyAre) {
  Heard cancelled;
  Answer(cancelled.request()).take(end(FinishReason::kCancelled));
  EXPECT_EQ(cancelled.end->finish, TurnFinish::kCancelled);
  EXPECT_FALSE(cancelled.end->error);
  Heard failed;
  EndEvent event = end(FinishReason::kFailed);
  event.error = Error{ErrorCode::kInternal, "the model gave no numbers", {}};
  Answer(failed.request()).take(event);
  EXPECT_EQ(failed.end->finish, TurnFinish::kFailed);
  ASSERT_TRUE(failed.end->error);
  EXPECT_EQ(failed.end->error->message, "the model gave no numbers");
}

TEST(AnswerTest, LogprobsCarryTheBytesOfTokensAndAlternatives) {
  Heard heard;
  Answer answer(heard.request());
  TokenEvent event = token(0);
  event.logprob = -0.5F;
  event.alternatives = {{0, -0.5F}, {4, -1.25F}};
  answer.take(event);
  ASSERT_EQ(heard.deltas.size(), 1U);
  ASSERT_EQ(heard.deltas[0].details.size(), 1U);
  const TokenDetail& detail = heard.deltas[0].details[0];
  EXPECT_EQ(detail.chosen.bytes, "Hel");
  EXPECT_EQ(detail.chosen.logprob, -0.5F);
  ASSERT_EQ(detail.alternatives.size(), 2U);
  EXPECT_EQ(detail.alternatives[1].bytes, "<|end|>");
  EXPECT_EQ(detail.alternatives[1].token, 4U);
}

TEST(AnswerTest, CallsComeApartWithIdsThatFollowFromTheirKey) {
  static constexpr std::array<std::string_view, 3> kPieces = {
      "Look: <tool_call>{\"name\": \"f\", ", "\"arguments\": {\"a\": 1}}</tool_call>",
      "<tool_call>{\"name\": \"f\"}</tool_call>"};
  CallShape shape;
  shape.marker = "<tool_call>";
  shape.object = CallShape::Object{false, "name", "arguments", "</tool_call>"};
  const auto calls_with = [&](std::uint64_t key) {
    std::vector<TurnEvent> events;
    Heard heard;
    AnswerRequest request = heard.request();
    request.text_of = [](TokenId token) { return TokenText{kPieces[token]}; };
    request.split = SplitOptions{.reasoning = {},
                                 .begins_in_reasoning = false,
                                 .shape = &shape,
                                 .functions = {{"f"}},
                                 .is_constrained = false};
    request.call_id_key = key;
    request.sink = [&](TurnEvent event) { events.push_back(std::move(event)); };
    Answer answer(std::move(request));
    answer.started(1);
    for (const TokenId id : {0, 1, 2}) answer.take(token(id));
    answer.take(end(FinishReason::kEndToken));
    EXPECT_EQ(events.size(), 4U);
    EXPECT_EQ(std::get<TextDelta>(events[0]).text, "Look:");
    EXPECT_TRUE(std::holds_alternative<TurnEnd>(events[3]));
    return std::pair{std::get<CallDelta>(events[1]), std::get<CallDelta>(events[2])};
  };
  const auto [first, second] = calls_with(7);
  EXPECT_EQ(first.arguments, R"({"a": 1})");
  EXPECT_EQ(first.id.size(), 24U);
  EXPECT_EQ(second.index, 1U);
  EXPECT_NE(first.id, second.id);
  EXPECT_EQ(calls_with(7).first.id, first.id);
  EXPECT_NE(calls_with(8).first.id, first.id);
}

TEST(AnswerTest, TokensOfReasoningAreCounted) {
  static constexpr std::array<std::string_view, 6> kPieces = {"<think>", "hm",  "m</",
                                                              "think>",  "Yes", "."};
  const auto n_of = [&](const std::optional<ReasoningShape>& reasoning) {
    std::uint32_t n = 99;
    Heard heard;
    AnswerRequest request = heard.request({"."});
    request.text_of = [](TokenId token) { return TokenText{kPieces[token]}; };
    request.split = SplitOptions{.reasoning = reasoning,
                                 .begins_in_reasoning = false,
                                 .shape = nullptr,
                                 .functions = {},
                                 .is_constrained = false};
    request.sink = [&](TurnEvent event) {
      if (const auto* end = std::get_if<TurnEnd>(&event)) n = end->n_reasoning_tokens;
    };
    Answer answer(std::move(request));
    answer.started(1);
    for (TokenId id = 0; id < kPieces.size(); ++id) answer.take(token(id));
    answer.take(end(FinishReason::kEndToken));
    return n;
  };
  EXPECT_EQ(n_of(ReasoningShape{"<think>", "</think>"}), 2U);
  EXPECT_EQ(n_of({}), 0U);
}

}  // namespace
}  // namespace jarip

#include "api/infill.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

namespace jarip {
namespace {

namespace json = boost::json;

const ModelCard kCard{"tiny", 7, 100, 512, "fp"};

std::string body(const std::string& more = {}) {
  return R"json({"input_prefix":"a(","input_suffix":")")json" + (more.empty() ? "" : "," + more) +
         "}";
}

Turn turn_of(const std::string& text) {
  auto plan = plan_infill(text, kCard);
  if (plan) return std::move(plan->turn);
  ADD_FAILURE() << text << ": " << plan.error().message;
  return {};
}

TEST(InfillRequest, ReadsWhatEditorsSend) {
  const Turn turn = turn_of(
      R"json({"id_slot":0,"input_prefix":"a(","input_suffix":")\n","input_extra":[
            {"text":"int f();","time":[1,2],"filename":"f.h"}],"prompt":"x","n_predict":128,
          "stop":["\n\n"],"n_indent":4,"top_k":40,"top_p":0.9,"samplers":["top_k","top_p","infill"],
          "stream":false,"cache_prompt":true,"t_max_prompt_ms":500,"t_max_predict_ms":1000,
          "response_fields":["content","timings/prompt_n"]})json");
  const Infill& infill = std::get<Infill>(turn.input);
  EXPECT_EQ(infill.prefix, "a(");
  EXPECT_EQ(infill.suffix, ")\n");
  EXPECT_EQ(infill.begun, "x");
  ASSERT_EQ(infill.files.size(), 1U);
  EXPECT_EQ(infill.files[0].name, "f.h");
  EXPECT_EQ(infill.files[0].text, "int f();");
  EXPECT_EQ(turn.max_new_tokens, 128U);
  EXPECT_EQ(turn.min_indent, 4U);
  EXPECT_EQ(turn.line_time_ms, 1000.0);
  EXPECT_EQ(turn.sampling.temperature, 0.0F);
  EXPECT_EQ(turn.sampling.top_k, 40U);
}

TEST(InfillRequest, SamplersThatAreNotNamedAreOff) {
  const std::string all = R"("top_k":5,"min_p":0.1,"temperature":0.5,"repeat_penalty":1.5)";
  const SamplingParams given = turn_of(body(all)).sampling;
  EXPECT_EQ(given.top_k, 5U);
  EXPECT_EQ(given.repetition_penalty, 1.5F);
  const SamplingParams chosen =
      turn_of(body(all + R"(,"samplers":["min_p","temperature"])")).sampling;
  EXPECT_EQ(chosen.top_k, 0U);
  EXPECT_EQ(chosen.repetition_penalty, 1.0F);
  EXPECT_EQ(chosen.min_p, 0.1F);
  EXPECT_EQ(chosen.temperature, 0.5F);
}

TEST(InfillRequest, MinusOneIsNoSeedAndNoLimit) {
  EXPECT_FALSE(turn_of(body(R"("seed":-1,"n_predict":-1)")).seed);
  EXPECT_FALSE(turn_of(body(R"("seed":-1,"n_predict":-1)")).max_new_tokens);
  EXPECT_EQ(turn_of(body(R"("seed":3)")).seed, 3U);
}

TEST(InfillRequest, RefusesWhatItCannotHonourByPath) {
  struct Row {
    std::string body;
    const char* where;
  };
  const Row table[] = {
      {R"({"input_suffix":"x"})", "input_prefix"},
      {R"({"input_prefix":"x"})", "input_suffix"},
      {body(R"("samplers":["xtc"])"), "samplers[0]"},
      {body(R"("samplers":[1])"), "samplers[0]"},
      {body(R"("input_extra":[{"filename":"x"}])"), "input_extra[0].text"},
      {body(R"("input_extra":["x"])"), "input_extra[0]"},
      {body(R"("n_predict":-2)"), "n_predict"},
      {body(R"("stream":true,"response_fields":["content"])"), "response_fields"},
      {body(R"("mirostat":2)"), "mirostat"},
  };
  for (const Row& row : table) {
    const auto plan = plan_infill(row.body, kCard);
    ASSERT_FALSE(plan) << row.body;
    EXPECT_EQ(plan.error().where, row.where) << plan.error().message;
  }
}

TurnEnd ended() {
  TurnEnd end;
  end.n_prompt_tokens = 9;
  end.n_cached_tokens = 4;
  end.n_new_tokens = 2;
  end.prefill_ms = 10;
  return end;
}

TEST(InfillReply, IsWholeOrWhatWasChosenOfIt) {
  InfillWriter writer("tiny", {}, false);
  TurnEnd end = ended();
  end.stop = "\n\n";
  const auto all = json::parse(writer.whole({{"x\ny", {}, end}}));
  EXPECT_EQ(all.at("content"), "x\ny");
  EXPECT_EQ(all.at("stop_type"), "word");
  EXPECT_EQ(all.at("stopping_word"), "\n\n");
  EXPECT_EQ(all.at("has_new_line"), json::value(true));
  EXPECT_EQ(all.at("timings").at("prompt_n").to_number<int>(), 5);
  EXPECT_EQ(all.at("timings").at("prompt_per_second").to_number<double>(), 500.0);
  InfillWriter chosen("tiny", {"content", "timings/prompt_n", "content/x", "nothing"}, false);
  EXPECT_EQ(json::parse(chosen.whole({{"x", {}, ended()}})),
            json::parse(R"({"content":"x","timings/prompt_n":5})"));
}

TEST(InfillReply, AWarmUpHasNoText) {
  InfillWriter writer("tiny", {}, true);
  const auto answer = json::parse(writer.whole({{"x", {}, ended()}}));
  EXPECT_EQ(answer.at("content"), "");
  EXPECT_EQ(answer.at("tokens_predicted").to_number<int>(), 0);
  std::string out;
  writer.append_delta(out, 0, {"x", {}});
  EXPECT_EQ(out, "");
}

TEST(InfillReply, StreamsPiecesAndThenTheCounts) {
  InfillWriter writer("tiny", {}, false);
  std::string out;
  writer.append_delta(out, 0, {"x\n", {}});
  writer.append_end(out, 0, ended());
  EXPECT_TRUE(out.starts_with("data: {\"index\":0,\"content\":\"x\\n\",\"stop\":false}\n\n"));
  const auto last = json::parse(out.substr(out.find("\n\n") + 8));
  EXPECT_EQ(last.at("stop"), json::value(true));
  EXPECT_EQ(last.at("has_new_line"), json::value(true));
  EXPECT_EQ(last.at("stop_type"), "eos");
}

}  // namespace
}  // namespace jarip

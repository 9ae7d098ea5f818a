#include "api/openai_request.h"

#include <gtest/gtest.h>

#include <string>

namespace jarip {
namespace {

constexpr std::uint32_t kVocab = 100;
constexpr auto kChat = OpenAiEndpoint::kChat;
constexpr auto kCompletions = OpenAiEndpoint::kCompletions;

// A body that is right but for the fields added.
std::string chat(const std::string& more) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}])" +
         (more.empty() ? "" : "," + more) + "}";
}
std::string completion(const std::string& more) {
  return R"({"model":"m","prompt":"hi")" + (more.empty() ? "" : "," + more) + "}";
}

OpenAiRequest parsed(OpenAiEndpoint endpoint, const std::string& body) {
  auto request = parse_openai_request(endpoint, body, kVocab);
  if (request) return *std::move(request);
  ADD_FAILURE() << body << ": " << request.error().message;
  return {};
}

std::vector<Message> messages_of(const std::string& list) {
  const auto request = parsed(kChat, R"({"messages":)" + list + "}");
  const auto* messages = std::get_if<std::vector<Message>>(&request.turn.input);
  return messages == nullptr ? std::vector<Message>() : *messages;
}

TEST(OpenAiRequest, LeavesWhatIsAbsentAtOpenAisDefaults) {
  const auto request = parsed(kChat, chat(""));
  EXPECT_EQ(request.turn.model, "m");
  EXPECT_FALSE(request.is_stream);
  EXPECT_FALSE(request.include_usage);
  EXPECT_EQ(request.turn.sampling.temperature, 1.0F);
  EXPECT_EQ(request.turn.sampling.top_p, 1.0F);
  EXPECT_FALSE(request.turn.seed);
  EXPECT_FALSE(request.turn.max_new_tokens);
  EXPECT_FALSE(request.turn.n_logprobs);
  EXPECT_EQ(parsed(kCompletions, completion("")).turn.max_new_tokens, 16U);
}

TEST(OpenAiRequest, ReadsEverySamplingField) {
  const auto request = parsed(
      kChat, chat(R"("temperature":0.5,"top_p":0.25,"top_k":7,"min_p":0.125,"repeat_penalty":1.5,
              "presence_penalty":-2,"frequency_penalty":2,"seed":-1,"stop":["a","b"],
              "logit_bias":{"0":-100,"99":1.5},"max_completion_tokens":5.0,"ignore_eos":true,
              "logprobs":true,"top_logprobs":3,"stream":true,
              "stream_options":{"include_usage":true,"include_obfuscation":false})"));
  const Turn& turn = request.turn;
  EXPECT_EQ(turn.sampling.temperature, 0.5F);
  EXPECT_EQ(turn.sampling.top_p, 0.25F);
  EXPECT_EQ(turn.sampling.top_k, 7U);
  EXPECT_EQ(turn.sampling.min_p, 0.125F);
  EXPECT_EQ(turn.sampling.repetition_penalty, 1.5F);
  EXPECT_EQ(turn.sampling.presence_penalty, -2.0F);
  EXPECT_EQ(turn.sampling.frequency_penalty, 2.0F);
  EXPECT_EQ(turn.seed, 0xFFFFFFFFFFFFFFFFU);
  EXPECT_EQ(turn.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(turn.sampling.logit_bias,
            (std::vector<std::pair<TokenId, float>>{{0, -100.0F}, {99, 1.5F}}));
  EXPECT_EQ(turn.max_new_tokens, 5U);
  EXPECT_TRUE(turn.ignore_end_tokens);
  EXPECT_EQ(turn.n_logprobs, 3U);
  EXPECT_TRUE(request.is_stream);
  EXPECT_TRUE(request.include_usage);
}

TEST(OpenAiRequest, AsksForSeveralAnswers) {
  EXPECT_EQ(parsed(kChat, chat("")).n_choices, 1U);
  EXPECT_EQ(parsed(kChat, chat(R"("n":128)")).n_choices, 128U);
  EXPECT_EQ(parsed(kCompletions, completion(R"("n":3)")).n_choices, 3U);
}

TEST(OpenAiRequest, AnAnswerMayGoOnWhereTheLastMessageEnds) {
  EXPECT_FALSE(parsed(kChat, chat("")).turn.continues_last);
  EXPECT_TRUE(parsed(kChat, chat(R"("continue_final_message":true)")).turn.continues_last);
  EXPECT_TRUE(parsed(kChat, chat(R"("continue_final_message":true,"add_generation_prompt":false)"))
                  .turn.continues_last);
}

TEST(OpenAiRequest, LengthsAreCharactersAndNotBytes) {
  std::string stop;
  for (int i = 0; i < 1024; ++i) stop += "한";
  EXPECT_EQ(parsed(kChat, chat(R"("stop":")" + stop + '"')).turn.stop.front(), stop);
  EXPECT_FALSE(parse_openai_request(kChat, chat(R"("stop":"x)" + stop + '"'), kVocab));
}

TEST(OpenAiRequest, LogprobsOfAChatWithoutAlternativesAreZeroAlternatives) {
  EXPECT_EQ(parsed(kChat, chat(R"("logprobs":true)")).turn.n_logprobs, 0U);
  EXPECT_FALSE(parsed(kChat, chat(R"("logprobs":false)")).turn.n_logprobs);
  EXPECT_EQ(parsed(kCompletions, completion(R"("logprobs":5)")).turn.n_logprobs, 5U);
}

TEST(OpenAiRequest, ReadsMessagesOfEveryForm) {
  const auto messages = messages_of(R"([
      {"role":"system","content":"a"},
      {"role":"developer","content":"b"},
      {"role":"user","content":[{"type":"text","text":"c"},{"text":"d","type":"text"}]},
      {"role":"assistant","content":null,"refusal":null,"tool_calls":[],"annotations":[],
       "audio":null,"function_call":null},
      {"role":"assistant"},
      {"role":"user","content":"한국어 \ud83d\ude00"}])");
  ASSERT_EQ(messages.size(), 6U);
  EXPECT_EQ(messages[0].role, Role::kSystem);
  EXPECT_EQ(messages[1].role, Role::kSystem);
  EXPECT_EQ(messages[2].role, Role::kUser);
  EXPECT_EQ(messages[2].content, "cd");
  EXPECT_EQ(messages[3].role, Role::kAssistant);
  EXPECT_EQ(messages[3].content, "");
  EXPECT_EQ(messages[4].content, "");
  EXPECT_EQ(messages[5].content, "한국어 😀");
}

TEST(OpenAiRequest, ReadsPromptsOfEveryForm) {
  using Tokens = std::vector<TokenId>;
  auto input = [](const std::string& prompt) {
    return parsed(kCompletions, R"({"prompt":)" + prompt + "}").turn.input;
  };
  EXPECT_EQ(std::get<std::string>(input(R"("x")")), "x");
  EXPECT_EQ(std::get<std::string>(input(R"(["x"])")), "x");
  EXPECT_EQ(std::get<Tokens>(input("[0, 99]")), (Tokens{0, 99}));
  EXPECT_EQ(std::get<Tokens>(input("[[1]]")), Tokens{1});
}

TEST(OpenAiRequest, ReadsSeveralPrompts) {
  const OpenAiRequest request = parsed(kCompletions, R"({"prompt":["a",[3,4],"c"],"n":2})");
  EXPECT_EQ(std::get<std::string>(request.turn.input), "a");
  ASSERT_EQ(request.more_prompts.size(), 2U);
  EXPECT_EQ(std::get<std::vector<TokenId>>(request.more_prompts[0]), (std::vector<TokenId>{3, 4}));
  EXPECT_EQ(std::get<std::string>(request.more_prompts[1]), "c");
  EXPECT_EQ(request.n_choices, 2U);
}

TEST(OpenAiRequest, PromptsAndTheirAnswersAreBounded) {
  auto prompts = [](std::size_t count, int n) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += i == 0 ? R"("a")" : R"(,"a")";
    return parse_openai_request(
        kCompletions, R"({"prompt":[)" + list + R"(],"n":)" + std::to_string(n) + "}", 100);
  };
  EXPECT_TRUE(prompts(128, 1));
  EXPECT_TRUE(prompts(64, 2));
  EXPECT_EQ(prompts(129, 1).error().where, "prompt");
  EXPECT_EQ(prompts(65, 2).error().where, "n");
}

TEST(OpenAiRequest, AStringIsAListOfOneStop) {
  EXPECT_EQ(parsed(kChat, chat(R"("stop":"x")")).turn.stop, std::vector<std::string>{"x"});
  EXPECT_TRUE(parsed(kChat, chat(R"("stop":[])")).turn.stop.empty());
}

TEST(OpenAiRequest, WhatTheAnswerMustMatchComesInManyWords) {
  struct Case {
    const char* field;
    GrammarKind kind;
    const char* text;
    const char* from;
  };
  const Case cases[] = {
      {R"("response_format":{"type":"json_object"})", GrammarKind::kJsonSchema,
       R"({"type": "object"})", "response_format"},
      {R"("response_format":{"type":"json_object","schema":{"const":1}})", GrammarKind::kJsonSchema,
       R"({"const":1})", "response_format.schema"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,
          "description":"d","schema":{"type":"null","title":"t"}}})",
       GrammarKind::kJsonSchema, R"({"type":"null","title":"t"})",
       "response_format.json_schema.schema"},
      {R"("structured_outputs":{"json":{"type":"null"}})", GrammarKind::kJsonSchema,
       R"({"type":"null"})", "structured_outputs.json"},
      {R"("structured_outputs":{"json":"true"})", GrammarKind::kJsonSchema, "true",
       "structured_outputs.json"},
      {R"("structured_outputs":{"json_object":true,"regex":null})", GrammarKind::kJsonSchema,
       R"({"type": "object"})", "structured_outputs.json_object"},
      {R"("structured_outputs":{"regex":"a+"})", GrammarKind::kRegex, "a+",
       "structured_outputs.regex"},
      {R"("structured_outputs":{"choice":["a.b","한"]})", GrammarKind::kRegex, "a\\x2eb|한",
       "structured_outputs.choice"},
      {R"("structured_outputs":{"grammar":"g"})", GrammarKind::kEbnf, "g",
       "structured_outputs.grammar"},
      {R"("guided_json":{"type":"null"})", GrammarKind::kJsonSchema, R"({"type":"null"})",
       "guided_json"},
      {R"("guided_regex":"b")", GrammarKind::kRegex, "b", "guided_regex"},
      {R"("guided_choice":["c"])", GrammarKind::kRegex, "c", "guided_choice"},
      {R"("guided_grammar":"d")", GrammarKind::kEbnf, "d", "guided_grammar"},
      {R"("grammar":"e")", GrammarKind::kEbnf, "e", "grammar"},
  };
  for (const Case& one : cases) {
    const auto form = parsed(kChat, chat(one.field)).turn.form;
    ASSERT_TRUE(form) << one.field;
    EXPECT_EQ(form->source, (GrammarSource{one.kind, one.text})) << one.field;
    EXPECT_EQ(form->field, one.from);
  }
  EXPECT_TRUE(parsed(kCompletions, completion(R"("guided_regex":"b")")).turn.form);
  for (const char* field : {R"("response_format":{"type":"text"})", R"("grammar":"")",
                            R"("guided_json":null)", R"("structured_outputs":{})"}) {
    EXPECT_FALSE(parsed(kChat, chat(field)).turn.form) << field;
  }
}

TEST(OpenAiRequest, ReadsWhoseShareItTakesAndForHowLongItIsWanted) {
  const Turn turn =
      parsed(kChat, chat(R"("user":"u","priority":-2,"max_queue_ms":7,"timeout":1.5)")).turn;
  EXPECT_EQ(turn.user, "u");
  EXPECT_EQ(turn.priority, -2);
  EXPECT_EQ(turn.max_queue_ms, 7U);
  EXPECT_EQ(turn.timeout_ms, 1500U);
}

TEST(OpenAiRequest, SaysHowMuchToThink) {
  const Turn none = parsed(kChat, chat(R"("reasoning_effort":"none")")).turn;
  EXPECT_EQ(none.thinking.wanted, false);
  EXPECT_EQ(none.thinking.max_tokens, 0U);
  const Turn high = parsed(kChat, chat(R"("reasoning_effort":"high","thinking_token_budget":7,
                            "chat_template_kwargs":{"a":{"b":[1]}})"))
                        .turn;
  EXPECT_EQ(high.thinking.effort, "high");
  EXPECT_FALSE(high.thinking.wanted);
  EXPECT_EQ(high.thinking.max_tokens, 7U);
  ASSERT_EQ(high.variables.size(), 1U);
  EXPECT_EQ(high.variables[0].name, "a");
  EXPECT_EQ(high.variables[0].json, R"({"b":[1]})");
  EXPECT_EQ(high.variables[0].field, "chat_template_kwargs.a");
}

TEST(OpenAiRequest, VariablesOfATemplateAreBounded) {
  std::string members;
  for (int i = 0; i < 33; ++i) members += (i == 0 ? "\"v" : ",\"v") + std::to_string(i) + "\":1";
  const auto request =
      parse_openai_request(kChat, chat(R"("chat_template_kwargs":{)" + members + "}"), 100);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().where, "chat_template_kwargs");
}

// Values that change no answer, and null everywhere.
TEST(OpenAiRequest, AcceptsWhatChangesNothing) {
  for (const char* field : {R"("n":1)",
                            R"("tools":null)",
                            R"("tools":[])",
                            R"("tool_choice":"none")",
                            R"("response_format":{"type":"text"})",
                            R"("store":false)",
                            R"("service_tier":"auto")",
                            R"("service_tier":"default")",
                            R"("parallel_tool_calls":true)",
                            R"("user":"u")",
                            R"("metadata":{"a":"b"})",
                            R"("safety_identifier":"x")",
                            R"("prompt_cache_key":"k")",
                            R"("modalities":["text"])",
                            R"("temperature":null)",
                            R"("stop":null)",
                            R"("seed":null)",
                            R"("stream":null)",
                            R"("stream_options":null)",
                            R"("logit_bias":null)",
                            R"("max_tokens":null)",
                            R"("top_k":-1)",
                            R"("top_k":0)",
                            R"("functions":[])",
                            R"("audio":null)",
                            R"("prediction":null)",
                            R"("verbosity":"medium")"}) {
    EXPECT_TRUE(parse_openai_request(kChat, chat(field), kVocab)) << field;
  }
  for (const char* field : {R"("best_of":1)", R"("suffix":null)", R"("suffix":"")", R"("n":1)"}) {
    EXPECT_TRUE(parse_openai_request(kCompletions, completion(field), kVocab)) << field;
  }
}

struct Refused {
  OpenAiEndpoint endpoint;
  std::string body;
  ErrorCode code;
  const char* where;
};

constexpr auto kInvalid = ErrorCode::kInvalidArgument;
constexpr auto kUnsupported = ErrorCode::kUnsupported;

std::string with_messages(const std::string& list) { return R"({"messages":)" + list + "}"; }

void expect_refused(const Refused& row) {
  const auto request = parse_openai_request(row.endpoint, row.body, kVocab);
  ASSERT_FALSE(request) << row.body;
  EXPECT_EQ(request.error().where, row.where) << row.body << ": " << request.error().message;
  EXPECT_EQ(request.error().code, row.code) << row.body << ": " << request.error().message;
  EXPECT_NE(request.error().message, "") << row.body;
}

TEST(OpenAiRequest, RefusesNumbersOutOfRangeByName) {
  const Refused table[] = {
      {kChat, chat(R"("temperature":-0.1)"), kInvalid, "temperature"},
      {kChat, chat(R"("temperature":2.1)"), kInvalid, "temperature"},
      {kChat, chat(R"("temperature":1e400)"), kInvalid, "temperature"},
      {kChat, chat(R"("top_p":1.01)"), kInvalid, "top_p"},
      {kChat, chat(R"("top_p":-1)"), kInvalid, "top_p"},
      {kChat, chat(R"("top_k":-2)"), kInvalid, "top_k"},
      {kChat, chat(R"("top_k":1.5)"), kInvalid, "top_k"},
      {kChat, chat(R"("top_k":18446744073709551615)"), kInvalid, "top_k"},
      {kChat, chat(R"("min_p":2)"), kInvalid, "min_p"},
      {kChat, chat(R"("repetition_penalty":0)"), kInvalid, "repetition_penalty"},
      {kChat, chat(R"("presence_penalty":2.5)"), kInvalid, "presence_penalty"},
      {kChat, chat(R"("frequency_penalty":-2.5)"), kInvalid, "frequency_penalty"},
      {kChat, chat(R"("max_tokens":0)"), kInvalid, "max_tokens"},
      {kChat, chat(R"("max_tokens":-1)"), kInvalid, "max_tokens"},
      {kChat, chat(R"("max_tokens":99999999999)"), kInvalid, "max_tokens"},
      {kChat, chat(R"("max_completion_tokens":0)"), kInvalid, "max_completion_tokens"},
      {kChat, chat(R"("seed":1.5)"), kInvalid, "seed"},
      {kChat, chat(R"("seed":18446744073709551615)"), kInvalid, "seed"},
      {kChat, chat(R"("logprobs":true,"top_logprobs":21)"), kInvalid, "top_logprobs"},
      {kChat, chat(R"("logit_bias":{"100":0})"), kInvalid, "logit_bias.100"},
      {kChat, chat(R"("logit_bias":{"-1":0})"), kInvalid, "logit_bias.-1"},
      {kChat, chat(R"("logit_bias":{"01":0})"), kInvalid, "logit_bias.01"},
      {kChat, chat(R"("logit_bias":{"a":0})"), kInvalid, "logit_bias.a"},
      {kChat, chat(R"("logit_bias":{"":0})"), kInvalid, "logit_bias."},
      {kChat, chat(R"("logit_bias":{"1":101})"), kInvalid, "logit_bias.1"},
      {kChat, chat(R"("logit_bias":{"1":"2"})"), kInvalid, "logit_bias.1"},
      {kChat, chat(R"("n":0)"), kInvalid, "n"},
      {kChat, chat(R"("n":129)"), kInvalid, "n"},
      {kCompletions, completion(R"("logprobs":21)"), kInvalid, "logprobs"},
      {kCompletions, R"({"prompt":[100]})", kInvalid, "prompt[0]"},
      {kCompletions, R"({"prompt":[1,-1]})", kInvalid, "prompt[1]"},
      {kCompletions, R"({"prompt":[[1,2.5]]})", kInvalid, "prompt[0][1]"},
  };
  for (const Refused& row : table) expect_refused(row);
}

TEST(OpenAiRequest, RefusesWrongTypesByName) {
  const Refused table[] = {
      {kChat, chat(R"("temperature":"1")"), kInvalid, "temperature"},
      {kChat, chat(R"("temperature":true)"), kInvalid, "temperature"},
      {kChat, chat(R"("stream":1)"), kInvalid, "stream"},
      {kChat, chat(R"("stream":"true")"), kInvalid, "stream"},
      {kChat, chat(R"("stop":1)"), kInvalid, "stop"},
      {kChat, chat(R"("stop":[1])"), kInvalid, "stop[0]"},
      {kChat, chat(R"("stop":[""])"), kInvalid, "stop[0]"},
      {kChat, chat(R"("stop":"")"), kInvalid, "stop"},
      {kChat,
       chat(R"("stop":["1","2","3","4","5","6","7","8","9","a","b","c","d","e","f","g","h"])"),
       kInvalid, "stop"},
      {kChat, chat(R"("logit_bias":[])"), kInvalid, "logit_bias"},
      {kChat, chat(R"("stream":true,"stream_options":true)"), kInvalid, "stream_options"},
      {kChat, chat(R"("stream":true,"stream_options":{"include_usage":1})"), kInvalid,
       "stream_options.include_usage"},
      {kChat, chat(R"("stream":true,"stream_options":{"x":1})"), kInvalid, "stream_options.x"},
      {kChat, chat(R"("user":1)"), kInvalid, "user"},
      {kChat, chat(R"("user":")" + std::string(257, 'u') + R"(")"), kInvalid, "user"},
      {kChat, chat(R"("priority":0.5)"), kInvalid, "priority"},
      {kChat, chat(R"("max_queue_ms":0)"), kInvalid, "max_queue_ms"},
      {kChat, chat(R"("timeout":0)"), kInvalid, "timeout"},
      {kChat, chat(R"("timeout":1e9)"), kInvalid, "timeout"},
      {kChat, R"({"model":1,"messages":[{"role":"user","content":"x"}]})", kInvalid, "model"},
      {kChat, R"({"model":"","messages":[{"role":"user","content":"x"}]})", kInvalid, "model"},
      {kCompletions, completion(R"("echo":1)"), kInvalid, "echo"},
      {kCompletions, completion(R"("logprobs":true)"), kInvalid, "logprobs"},
      {kCompletions, R"({"prompt":1})", kInvalid, "prompt"},
      {kCompletions, R"({"prompt":{}})", kInvalid, "prompt"},
      {kCompletions, R"({"prompt":[]})", kInvalid, "prompt"},
      {kCompletions, R"({"prompt":[[]]})", kInvalid, "prompt[0]"},
      {kCompletions, R"({"prompt":[[[1]]]})", kInvalid, "prompt[0][0]"},
      {kCompletions, R"({"prompt":["a",1]})", kInvalid, "prompt[1]"},
      {kCompletions, R"({"prompt":["a",[1,100]]})", kInvalid, "prompt[1][1]"},
  };
  for (const Refused& row : table) expect_refused(row);
}

TEST(OpenAiRequest, RefusesMessagesItCannotHonourByPath) {
  const Refused table[] = {
      {kChat, R"({})", kInvalid, "messages"},
      {kChat, with_messages("null"), kInvalid, "messages"},
      {kChat, with_messages("[]"), kInvalid, "messages"},
      {kChat, with_messages("{}"), kInvalid, "messages"},
      {kChat, with_messages("[1]"), kInvalid, "messages[0]"},
      {kChat, with_messages(R"([{"content":"x"}])"), kInvalid, "messages[0].role"},
      {kChat, with_messages(R"([{"role":"user"}])"), kInvalid, "messages[0].content"},
      {kChat, with_messages(R"([{"role":"user","content":null}])"), kInvalid,
       "messages[0].content"},
      {kChat, with_messages(R"([{"role":"user","content":1}])"), kInvalid, "messages[0].content"},
      {kChat, with_messages(R"([{"role":"user","content":[]}])"), kInvalid, "messages[0].content"},
      {kChat, with_messages(R"([{"role":"tool","content":"x"}])"), kInvalid,
       "messages[0].tool_call_id"},
      {kChat, with_messages(R"([{"role":"function","content":"x"}])"), kUnsupported,
       "messages[0].role"},
      {kChat, with_messages(R"([{"role":"user","content":"x","tool_call_id":"c"}])"), kInvalid,
       "messages[0].tool_call_id"},
      {kChat, with_messages(R"([{"role":"user","content":"x","reasoning":"y"}])"), kInvalid,
       "messages[0].reasoning_content"},
      {kChat, with_messages(R"([{"role":"User","content":"x"}])"), kUnsupported,
       "messages[0].role"},
      {kChat, with_messages(R"([{"role":"user","content":"x"},{"role":"user","content":[
          {"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}}]}])"),
       kUnsupported, "messages[1].content[1].type"},
      {kChat, with_messages(R"([{"role":"user","content":[{"type":"text"}]}])"), kInvalid,
       "messages[0].content[0].text"},
      {kChat, with_messages(R"([{"role":"user","content":[{"text":"x"}]}])"), kInvalid,
       "messages[0].content[0].type"},
      {kChat, with_messages(R"([{"role":"user","content":[{"type":"text","text":"x","y":1}]}])"),
       kInvalid, "messages[0].content[0].y"},
      {kChat, with_messages(R"([{"role":"user","content":["x"]}])"), kInvalid,
       "messages[0].content[0]"},
      {kChat, with_messages(R"([{"role":"user","content":"x","weight":1}])"), kInvalid,
       "messages[0].weight"},
      {kChat, with_messages(R"([{"role":"user","content":"x","name":"n"}])"), kUnsupported,
       "messages[0].name"},
      {kChat, with_messages(R"([{"role":"assistant","tool_calls":[{}]}])"), kInvalid,
       "messages[0].tool_calls[0].id"},
      {kChat, with_messages(R"([{"role":"assistant","tool_calls":[{"id":"c","function":
          {"name":"f","arguments":"{\"a\":"}}]}])"),
       kInvalid, "messages[0].tool_calls[0].function.arguments"},
  };
  for (const Refused& row : table) expect_refused(row);
}

TEST(OpenAiRequest, RefusesParametersItCannotHonourByName) {
  const Refused table[] = {
      {kChat, chat(R"("temprature":1)"), kInvalid, "temprature"},
      {kChat, chat(R"("prompt":"x")"), kInvalid, "prompt"},
      {kChat, chat(R"("echo":true)"), kInvalid, "echo"},
      {kCompletions, completion(R"("messages":[])"), kInvalid, "messages"},
      {kCompletions, completion(R"("max_completion_tokens":1)"), kInvalid, "max_completion_tokens"},
      {kChat, chat(R"("continue_final_message":true,"add_generation_prompt":true)"), kUnsupported,
       "add_generation_prompt"},
      {kChat, chat(R"("add_generation_prompt":false)"), kUnsupported, "add_generation_prompt"},
      {kChat, chat(R"("response_format":{"type":"xml"})"), kUnsupported, "response_format.type"},
      {kChat, chat(R"("response_format":{})"), kInvalid, "response_format.type"},
      {kChat, chat(R"("response_format":{"type":"text","x":1})"), kInvalid, "response_format.x"},
      {kChat, chat(R"("response_format":{"type":"text","schema":{}})"), kInvalid,
       "response_format.type"},
      {kChat, chat(R"("response_format":{"type":"json_schema"})"), kInvalid,
       "response_format.json_schema.schema"},
      {kChat, chat(R"("response_format":{"type":"json_schema","json_schema":{"schema":[]}})"),
       kInvalid, "response_format.json_schema.schema"},
      {kChat, chat(R"("tools":[{"type":"function"}])"), kInvalid, "tools[0].function"},
      {kChat, chat(R"("tools":[{"type":"custom","custom":{"name":"f"}}])"), kUnsupported,
       "tools[0].type"},
      {kChat, chat(R"("tool_choice":"required")"), kInvalid, "tool_choice"},
      {kChat, chat(R"("tool_choice":"any")"), kInvalid, "tool_choice"},
      {kChat, chat(R"("tool_choice":{"type":"function"})"), kInvalid, "tool_choice.function"},
      {kChat, chat(R"("tool_choice":{"type":"custom","custom":{}})"), kUnsupported,
       "tool_choice.type"},
      {kChat, chat(R"("modalities":["text","audio"])"), kUnsupported, "modalities"},
      {kChat, chat(R"("audio":{})"), kUnsupported, "audio"},
      {kChat, chat(R"("store":true)"), kUnsupported, "store"},
      {kChat, chat(R"("service_tier":"flex")"), kUnsupported, "service_tier"},
      {kChat, chat(R"("reasoning_effort":"much")"), kInvalid, "reasoning_effort"},
      {kChat, chat(R"("thinking_token_budget":0)"), kInvalid, "thinking_token_budget"},
      {kChat, chat(R"("chat_template_kwargs":[])"), kInvalid, "chat_template_kwargs"},
      {kChat, chat(R"("chat_template_kwargs":{"a-b":1})"), kInvalid, "chat_template_kwargs.a-b"},
      {kChat, chat(R"("chat_template_kwargs":{"tools":[]})"), kUnsupported,
       "chat_template_kwargs.tools"},
      {kChat, chat(R"("logits_processors":["x"])"), kUnsupported, "logits_processors"},
      {kChat, chat(R"("guided_json":3)"), kInvalid, "guided_json"},
      {kChat, chat(R"("guided_choice":[])"), kInvalid, "guided_choice"},
      {kChat, chat(R"("guided_choice":["a",1])"), kInvalid, "guided_choice[1]"},
      {kChat, chat(R"("structured_outputs":{"xml":"x"})"), kInvalid, "structured_outputs.xml"},
      {kChat, chat(R"("structured_outputs":{"regex":"a","choice":["a"]})"), kInvalid,
       "structured_outputs"},
      {kChat, chat(R"("guided_regex":"a","grammar":"root ::= \"a\"")"), kInvalid, "grammar"},
      {kChat, chat(R"("web_search_options":{})"), kUnsupported, "web_search_options"},
      {kCompletions, completion(R"("best_of":2)"), kUnsupported, "best_of"},
      {kCompletions, completion(R"("suffix":"x")"), kUnsupported, "suffix"},
      {kCompletions, completion(R"("echo":true,"logprobs":1)"), kUnsupported, "echo"},
      {kChat, chat(R"("max_tokens":1,"max_completion_tokens":1)"), kInvalid, "max_tokens"},
      {kChat, chat(R"("repetition_penalty":1,"repeat_penalty":1)"), kInvalid, "repeat_penalty"},
      {kChat, chat(R"("stream_options":{"include_usage":true})"), kInvalid, "stream_options"},
      {kChat, chat(R"("top_logprobs":1)"), kInvalid, "top_logprobs"},
  };
  for (const Refused& row : table) expect_refused(row);
}

TEST(OpenAiRequest, RefusesWhatIsNoJsonObject) {
  const std::string deep_list = std::string(3000, '[') + std::string(3000, ']');
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), std::string("1"), std::string("null"),
        std::string("{\"model\":}"), std::string("{} {}"), std::string("{'a':1}"),
        std::string("{\"a\":1,}"), std::string("{\"a\":NaN}"), std::string("{\"a\":\"\xFF\"}"),
        std::string(R"({"a":"\ud800"})"), std::string("{\"a\":\"\0\"}", 9),
        "{\"messages\":" + deep_list + "}"}) {
    expect_refused({kChat, body, kInvalid, ""});
  }
}

TEST(OpenAiRequest, ALongUnknownNameIsNotRepeatedWhole) {
  const auto request =
      parse_openai_request(kChat, chat("\"" + std::string(100'000, 'x') + "\":1"), kVocab);
  ASSERT_FALSE(request);
  EXPECT_LT(request.error().message.size(), 200U);
  EXPECT_LT(request.error().where.size(), 100U);
}

}  // namespace
}  // namespace jarip

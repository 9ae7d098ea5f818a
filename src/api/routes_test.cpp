#include "api/routes.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <boost/json/parse.hpp>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/support/test_client.h"

namespace jarip {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

// Answers from a thread of its own, as the engine does, with what the last message asks for:
// "say a b": pieces; "nothing": an empty answer; "fail": an error first; "break": an error after a
// piece; "hang": nothing until it is cancelled; "count N": N pieces.
class ScriptedAnswerer final : public Answerer {
 public:
  ~ScriptedAnswerer() override { end(); }

  void end() {
    {
      std::scoped_lock lock(mutex_);
      for (auto& [id, stopped] : stopped_) stopped = true;
    }
    changed_.notify_all();
    threads_.clear();  // joins
  }

  const ModelCard& card() const override { return card_; }

  Result<StartedTurn> start(Turn turn, std::vector<TurnSink> sinks) override {
    std::scoped_lock lock(mutex_);
    if (!turn.model.empty() && turn.model != card_.name) {
      return fail(ErrorCode::kNotFound, "no such model", "model");
    }
    const std::string script = script_of(turn);
    if (script == "overflow") {
      return fail(ErrorCode::kContextOverflow,
                  "the prompt has 900 tokens and the context holds 512", "prompt");
    }
    if (script == "full") return fail(ErrorCode::kUnavailable, "too many requests are waiting");
    StartedTurn started{.ids = {}, .n_prompt_tokens = 4, .seed = turn.seed.value_or(77)};
    for (TurnSink& sink : sinks) {
      const TurnId id = ++last_id_;
      stopped_[id] = false;
      threads_.emplace_back(
          [this, id, script, sink = std::move(sink)]() mutable { run(id, script, sink); });
      started.ids.push_back(id);
    }
    return started;
  }

  // Every byte is a token; what would be read of messages is the last one.
  Result<std::vector<TokenId>> read_prompt(const Turn& turn) const override {
    return tokenize(script_of(turn), {});
  }
  Result<std::string> render(const Turn& turn) const override { return script_of(turn); }
  std::vector<TokenId> tokenize(std::string_view text, const TokenizeOptions&) const override {
    std::vector<TokenId> tokens;
    for (const char byte : text) tokens.push_back(static_cast<unsigned char>(byte));
    return tokens;
  }
  std::string token_bytes(TokenId id) const override {
    return std::string(1, static_cast<char>(id));
  }

  void cancel(TurnId id) override {
    {
      std::scoped_lock lock(mutex_);
      if (const auto found = stopped_.find(id); found != stopped_.end()) found->second = true;
    }
    changed_.notify_all();
  }

  EngineStats stats() const override {
    EngineStats stats;
    stats.n_running = n_running();
    stats.n_pages = 8;
    stats.n_pages_used = 2;
    stats.new_tokens = 11;
    stats.draft_tokens = 9;
    stats.accepted_draft_tokens = 7;
    return stats;
  }

  std::uint32_t n_running() const {
    std::scoped_lock lock(mutex_);
    return static_cast<std::uint32_t>(stopped_.size());
  }

 private:
  static std::string script_of(const Turn& turn) {
    if (const auto* messages = std::get_if<std::vector<Message>>(&turn.input)) {
      return messages->back().content;
    }
    const auto* text = std::get_if<std::string>(&turn.input);
    return text == nullptr ? "say tokens" : *text;
  }

  void run(TurnId id, const std::string& script, TurnSink& sink) {
    TurnEnd end;
    end.n_prompt_tokens = 4;
    end.n_cached_tokens = 1;
    end.prefill_ms = 20;
    auto say = [&](std::string text) {
      ++end.n_new_tokens;
      sink(TextDelta{std::move(text), {}});
    };
    if (script.starts_with("say ")) {
      std::size_t at = 4;
      while (at < script.size()) {
        const std::size_t space = std::min(script.find(' ', at), script.size());
        say(script.substr(at, space - at));
        at = space + 1;
      }
    } else if (script.starts_with("count ")) {
      for (int i = 0; i < std::stoi(script.substr(6)); ++i) say(std::to_string(i) + ",");
    } else if (script == "fail" || script == "break") {
      if (script == "break") say("piece");
      end.finish = TurnFinish::kFailed;
      end.error = Error{ErrorCode::kInternal, "the logits are not numbers", {}};
    } else if (script == "hang" || script == "stall") {
      if (script == "stall") say("piece");
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopped_[id]; });
      end.finish = TurnFinish::kCancelled;
    }
    {
      std::scoped_lock lock(mutex_);
      stopped_.erase(id);
    }
    sink(std::move(end));
  }

  const ModelCard card_{"tiny", 1234, 100, 512, "fp_test"};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<TurnId, bool> stopped_;
  TurnId last_id_ = 0;
  std::vector<std::jthread> threads_;
};

std::string gzip(const std::string& plain) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  std::string out(plain.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// What the pool of models holds: the answerer that a test has.
class Borrowed final : public Answerer {
 public:
  explicit Borrowed(Answerer& answerer) : answerer_(answerer) {}
  const ModelCard& card() const override { return answerer_.card(); }
  Result<StartedTurn> start(Turn turn, std::vector<TurnSink> sinks) override {
    return answerer_.start(std::move(turn), std::move(sinks));
  }
  void cancel(TurnId id) override { answerer_.cancel(id); }
  EngineStats stats() const override { return answerer_.stats(); }
  Result<std::vector<TokenId>> read_prompt(const Turn& turn) const override {
    return answerer_.read_prompt(turn);
  }
  Result<std::string> render(const Turn& turn) const override { return answerer_.render(turn); }
  std::vector<TokenId> tokenize(std::string_view text,
                                const TokenizeOptions& options) const override {
    return answerer_.tokenize(text, options);
  }
  std::string token_bytes(TokenId id) const override { return answerer_.token_bytes(id); }

 private:
  Answerer& answerer_;
};

struct Reply {
  int status = 0;
  std::string head;
  std::string body;

  [[nodiscard]] bool has(std::string_view line) const {
    return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
  }
  [[nodiscard]] json::value parsed() const { return json::parse(body); }
  [[nodiscard]] json::value error() const { return parsed().at("error"); }
};

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    EXPECT_TRUE(models_.refresh());
    routes_.set_ready();
  }
  ~RoutesTest() override {
    loads_.release(1000);
    server_.stop(0ms);
    models_.close();
  }

  // One that writes, one that embeds and one that is too large. A model is loaded once a test lets
  // it be.
  ModelPoolOptions models() {
    return {.limits = {.n_bytes = 100},
            .default_model = "tiny",
            .list = []() -> Result<std::vector<LibraryModel>> {
              return std::vector<LibraryModel>{
                  {.name = "huge", .path = {}, .n_bytes = 4000},
                  {.name = "tiny", .path = {}, .n_bytes = 40},
                  {.name = "vectors", .path = {}, .n_bytes = 4},
              };
            },
            .describe = [this](const LibraryModel& file) -> Result<KnownModel> {
              KnownModel known{.card = answerer_.card(), .outline = {}};
              known.card.name = file.name;
              if (file.name == "vectors") known.card.task = ModelTask::kEmbed;
              known.outline = {.family = "llama",
                               .format = "q8_0",
                               .task = known.card.task,
                               .n_ctx = 512,
                               .memory = {.weights = file.n_bytes}};
              return known;
            },
            .load = [this](const LibraryModel&, const ModelPoolOptions::OnProgress& on_progress)
                -> Result<std::unique_ptr<Answerer>> {
              on_progress(0.25F);
              loads_.acquire();
              return std::make_unique<Borrowed>(answerer_);
            }};
  }

  Reply request(const std::string& method, const std::string& path, const std::string& body = {},
                const std::string& headers = {}) {
    TestClient client(server_.port());
    client.send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string all = client.read_to_end();
    const std::size_t blank = all.find("\r\n\r\n");
    if (blank == std::string::npos) return {0, all, {}};
    return {std::stoi(all.substr(9, 3)), all.substr(0, blank + 2), all.substr(blank + 4)};
  }
  Reply post(const std::string& path, const std::string& body) {
    return request("POST", path, body, "Content-Type: application/json; charset=utf-8\r\n");
  }
  Reply chat(const std::string& script, const std::string& more = {}) {
    return post("/v1/chat/completions",
                R"({"messages":[{"role":"user","content":")" + script + R"("}])" + more + "}");
  }

  // The data of a streamed answer, the chunked framing taken off.
  static std::vector<std::string> events_of(const Reply& reply) {
    std::string text;
    std::string_view rest = reply.body;
    while (!rest.empty()) {
      const std::size_t size = std::stoul(std::string(rest), nullptr, 16);
      rest.remove_prefix(rest.find("\r\n") + 2);
      text += rest.substr(0, size);
      rest.remove_prefix(std::min(size + 2, rest.size()));
    }
    std::vector<std::string> events;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find("\n\n", at);
      // Where the machine is slow there are pings between.
      if (text[at] != ':') events.push_back(text.substr(at, end - at));
      at = end + 2;
    }
    return events;
  }

  bool eventually_idle() {
    for (int i = 0; i < 1000; ++i) {
      if (answerer_.n_running() == 0) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }

  const std::string page_ = "<p>page</p>";
  const std::string script_ = "let x = 1;";
  const std::string page_gzip_ = gzip(page_);
  const std::string script_gzip_ = gzip(script_);
  const WebFile files_[2] = {{"/assets/x-abc.js", "text/javascript", "\"s1\"",
                              std::as_bytes(std::span(script_gzip_)), true},
                             {"/index.html", "text/html; charset=utf-8", "\"p1\"",
                              std::as_bytes(std::span(page_gzip_)), false}};
  MetricsRegistry registry_;
  std::counting_semaphore<> loads_{1};
  // Its card is asked for before anything else runs.
  ScriptedAnswerer answerer_;
  ModelPool models_{models()};
  Routes routes_{registry_, {.web_files = files_, .ping_interval = 30ms, .models = &models_}};
  TestServer server_{routes_, {.origins = {.allowed_origins = {"https://app.example"}}}};
  // The answerer's threads post to the server's: they end first, as the engine's in `jarip serve`.
  std::shared_ptr<void> last_ = {nullptr, [this](void*) { answerer_.end(); }};
};

TEST_F(RoutesTest, AChatIsAnsweredWhole) {
  const Reply reply = chat("say Hello there", R"(,"model":"tiny")");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_TRUE(reply.has("content-type: application/json"));
  const json::value answer = reply.parsed();
  EXPECT_TRUE(std::string_view(answer.at("id").as_string()).starts_with("chatcmpl-"));
  EXPECT_EQ(answer.at("model"), "tiny");
  EXPECT_EQ(answer.at("system_fingerprint"), "fp_test");
  EXPECT_EQ(answer.at("choices").at(0).at("message").at("content"), "Hellothere");
  EXPECT_EQ(answer.at("usage"),
            json::parse(R"({"prompt_tokens":4,"completion_tokens":2,"total_tokens":6,
                            "prompt_tokens_details":{"cached_tokens":1},
                            "completion_tokens_details":{"reasoning_tokens":0}})"));
}

TEST_F(RoutesTest, AChatIsStreamed) {
  const Reply reply = chat("say Hel lo", R"(,"stream":true)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_TRUE(reply.has("content-type: text/event-stream; charset=utf-8"));
  EXPECT_TRUE(reply.has("cache-control: no-cache"));
  const auto events = events_of(reply);
  ASSERT_GE(events.size(), 4U);
  std::string text;
  std::string id;
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    const json::value chunk = json::parse(events[i].substr(6));
    if (i == 0) id = chunk.at("id").as_string();
    EXPECT_EQ(chunk.at("id").as_string(), id);
    if (const auto* content =
            chunk.at("choices").at(0).at("delta").as_object().if_contains("content")) {
      text += content->as_string();
    }
  }
  EXPECT_EQ(text, "Hello");
  EXPECT_EQ(events.back(), "data: [DONE]");
}

TEST_F(RoutesTest, TheSeedIsToldInAHeader) {
  for (const char* stream : {"", R"(,"stream":true)"}) {
    EXPECT_TRUE(chat("say x", stream).has("x-jarip-seed: 77"));
    EXPECT_TRUE(chat("say x", R"(,"seed":-2)" + std::string(stream)).has("x-jarip-seed: -2"));
  }
}

TEST_F(RoutesTest, SeveralAnswersAreWrittenWholeAndInterleaved) {
  const json::value whole = chat("say a b", R"(,"n":3)").parsed();
  ASSERT_EQ(whole.at("choices").as_array().size(), 3U);
  for (const json::value& choice : whole.at("choices").as_array()) {
    EXPECT_EQ(choice.at("message").at("content"), "ab");
  }
  EXPECT_EQ(whole.at("usage").at("completion_tokens").as_int64(), 6);
  // More than a slow reader's share, so that pieces are put together.
  const auto events = events_of(chat("count 500", R"(,"n":40,"stream":true)"));
  EXPECT_EQ(events.back(), "data: [DONE]");
  std::map<std::int64_t, std::string> texts;
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    const json::value choice = json::parse(events[i].substr(6)).at("choices").at(0);
    const auto& delta = choice.at("delta").as_object();
    std::string& text = texts[choice.at("index").as_int64()];
    if (const auto* content = delta.if_contains("content")) text += content->as_string();
  }
  std::string expected;
  for (int i = 0; i < 500; ++i) expected += std::to_string(i) + ",";
  ASSERT_EQ(texts.size(), 40U);
  for (const auto& [index, text] : texts) EXPECT_EQ(text, expected) << index;
}

TEST_F(RoutesTest, EveryDialectAnswersWholeAndStreamed) {
  const std::string prompt = R"("messages":[{"role":"user","content":"say a b"}])";
  const std::pair<const char*, std::string> requests[] = {
      {"/v1/responses", R"({"input":"say a b")"},
      {"/v1/messages", R"({"max_tokens":9,)" + prompt},
  };
  for (const auto& [path, body] : requests) {
    const Reply whole = post(path, body + "}");
    EXPECT_EQ(whole.status, 200) << whole.body;
    EXPECT_NE(whole.body.find("\"ab\""), std::string::npos) << whole.body;
    EXPECT_TRUE(whole.has("x-jarip-seed: 77"));
    const auto events = events_of(post(path, body + R"(,"stream":true})"));
    ASSERT_GT(events.size(), 4U);
    for (const std::string& event : events) EXPECT_TRUE(event.starts_with("event: ")) << event;
    EXPECT_EQ(std::ranges::count(events, "data: [DONE]"), 0);
  }
}

TEST_F(RoutesTest, ErrorsOfMessagesHaveAnthropicsShape) {
  const std::string bad = R"({"max_tokens":0,"messages":[{"role":"user","content":"x"}]})";
  for (const char* path : {"/v1/messages", "/v1/messages/count_tokens"}) {
    const Reply reply = post(path, bad);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.parsed().at("type"), "error");
    EXPECT_EQ(reply.error().at("type"), "invalid_request_error");
    EXPECT_NE(reply.head.find("\r\nrequest-id: req_"), std::string::npos);
    EXPECT_EQ(request("POST", path, "{}").status, 415);
  }
  const Reply old = request("POST", "/v1/messages", bad,
                            "Content-Type: application/json\r\nanthropic-version: 2023-01-01\r\n");
  EXPECT_EQ(old.status, 400);
  EXPECT_NE(old.body.find("2023-06-01"), std::string::npos);
  const std::string good = R"({"max_tokens":1,"messages":[{"role":"user","content":"say x"}]})";
  for (const char* version : {"2023-06-01", "2026-10-21"}) {
    EXPECT_EQ(request("POST", "/v1/messages", good,
                      std::string("Content-Type: application/json\r\nanthropic-version: ") +
                          version + "\r\n")
                  .status,
              200);
  }
}

TEST_F(RoutesTest, TokensAreCountedMadeAndReadBack) {
  EXPECT_EQ(
      post("/v1/messages/count_tokens", R"({"messages":[{"role":"user","content":"abc"}]})").body,
      R"({"input_tokens":3})");
  EXPECT_EQ(post("/tokenize", R"({"content":"ab"})").body, R"({"tokens":[97,98]})");
  EXPECT_EQ(
      post("/tokenize", R"({"content":"a\u00e9","with_pieces":true})").body,
      R"({"tokens":[{"id":97,"piece":"a"},{"id":195,"piece":[195]},{"id":169,"piece":[169]}]})");
  EXPECT_EQ(post("/detokenize", R"({"tokens":[72,97]})").body, R"({"content":"Ha"})");
  EXPECT_EQ(post("/detokenize", R"({"tokens":[100]})").error().at("param"), "tokens[0]");
  EXPECT_EQ(post("/apply-template", R"({"messages":[{"role":"user","content":"x"}]})").body,
            R"({"prompt":"x"})");
  EXPECT_EQ(post("/tokenize", R"({"content":"a","model":"other"})").status, 404);
}

TEST_F(RoutesTest, EmbeddingsAndRankingAreRefusedForTheModelAfterTheRequestIsRead) {
  const std::tuple<const char*, const char*, int, const char*> table[] = {
      {"/v1/embeddings", R"({"model":"tiny","input":"x"})", 400, "model"},
      {"/v1/embeddings", R"({"model":"tiny","input":["x",[1,2]],"encoding_format":"base64"})", 400,
       "model"},
      {"/v1/embeddings", R"({"model":"tiny","input":[1,100]})", 400, "input[1]"},
      {"/v1/embeddings", R"({"model":"tiny","input":[[1],[100]]})", 400, "input[1][0]"},
      {"/v1/embeddings", R"({"model":"tiny","input":[]})", 400, "input"},
      {"/v1/embeddings", R"({"model":"tiny","input":""})", 400, "input"},
      {"/v1/embeddings", R"({"model":"tiny","input":["x"],"encoding_format":"int8"})", 400,
       "encoding_format"},
      {"/v1/embeddings", R"({"input":"x"})", 400, "model"},
      {"/v1/embeddings", R"({"model":"other","input":"x"})", 404, "model"},
      {"/v1/rerank", R"({"query":"q","documents":["a",{"text":"b"}]})", 400, "model"},
      {"/v1/rerank", R"({"query":"q","documents":[{"title":"b"}]})", 400, "documents[0]"},
      {"/v1/rerank", R"({"query":"q","documents":[]})", 400, "documents"},
  };
  for (const auto& [path, body, status, param] : table) {
    const Reply reply = post(path, body);
    EXPECT_EQ(reply.status, status) << body;
    EXPECT_EQ(reply.error().at("param"), param) << body << reply.body;
  }
}

TEST_F(RoutesTest, TheDocumentOfTheApiHasEveryRouteAndItsFields) {
  const json::value document = request("GET", "/openapi.json").parsed();
  EXPECT_EQ(document.at("openapi"), "3.1.0");
  const json::value& paths = document.at("paths");
  for (const char* path : {"/health", "/v1/models", "/v1/models/{name}", "/v1/chat/completions",
                           "/v1/completions", "/v1/responses", "/v1/messages", "/infill"}) {
    EXPECT_TRUE(paths.as_object().contains(path)) << path;
  }
  const json::value& fields =
      document.at("components").at("schemas").at("ChatCompletionRequest").at("properties");
  EXPECT_EQ(fields.at("temperature").at("maximum").to_number<int>(), 2);
  EXPECT_EQ(fields.at("metadata").at("description"), "Accepted; no answer depends on it.");
}

TEST_F(RoutesTest, AClientThatLeavesCancelsAllItsAnswers) {
  TestClient client(server_.port());
  const std::string body =
      R"({"messages":[{"role":"user","content":"stall"}],"stream":true,"n":5})";
  client.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: application/json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  client.read_until("piece");
  EXPECT_EQ(answerer_.n_running(), 5U);
  client.close();
  EXPECT_TRUE(eventually_idle());
}

TEST_F(RoutesTest, SeveralPromptsAreAnsweredInTheirOrder) {
  const auto reply = post("/v1/completions", R"({"prompt":["say a","say b c","say d"],"n":2})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const json::value body = json::parse(reply.body);
  std::string texts;
  for (const json::value& choice : body.at("choices").as_array()) {
    texts += std::to_string(choice.at("index").as_int64());
    texts += choice.at("text").as_string();
  }
  EXPECT_EQ(texts, "0a1a2bc3bc4d5d");
  EXPECT_EQ(body.at("usage").at("prompt_tokens").as_int64(), 12);
}

TEST_F(RoutesTest, OneOfSeveralPromptsThatIsRefusedLeavesNoneRunning) {
  const auto reply = post("/v1/completions", R"({"prompt":["hang","stall","overflow"]})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_TRUE(reply.body.contains("context_length_exceeded")) << reply.body;
  EXPECT_TRUE(eventually_idle());
}

TEST_F(RoutesTest, ALongStreamLosesNothing) {
  const auto events = events_of(chat("count 5000", R"(,"stream":true)"));
  std::string text;
  for (const std::string& event : events) {
    if (!event.starts_with("data: {")) continue;
    const json::value chunk = json::parse(event.substr(6));
    const auto& delta = chunk.at("choices").at(0).at("delta").as_object();
    if (const auto* content = delta.if_contains("content")) text += content->as_string();
  }
  std::string expected;
  for (int i = 0; i < 5000; ++i) expected += std::to_string(i) + ",";
  EXPECT_EQ(text, expected);
  EXPECT_EQ(events.back(), "data: [DONE]");
}

TEST_F(RoutesTest, TextCompletionsAreAnsweredInBothForms) {
  const Reply whole = post("/v1/completions", R"({"prompt":"say x y"})");
  ASSERT_EQ(whole.status, 200) << whole.body;
  EXPECT_EQ(whole.parsed().at("choices").at(0).at("text"), "xy");
  const auto events = events_of(post("/v1/completions", R"({"prompt":[1,2],"stream":true,
                                            "stream_options":{"include_usage":true}})"));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(json::parse(events[0].substr(6)).at("choices").at(0).at("text"), "tokens");
  EXPECT_EQ(json::parse(events[2].substr(6)).at("usage").at("completion_tokens").as_int64(), 1);
}

TEST_F(RoutesTest, AnErrorBeforeTheFirstTokenIsAPlainHttpError) {
  for (const char* more : {"", R"(,"stream":true)"}) {
    const Reply reply = chat("fail", more);
    EXPECT_EQ(reply.status, 500) << reply.body;
    EXPECT_EQ(reply.error().at("message"), "the logits are not numbers");
    EXPECT_EQ(reply.error().at("type"), "server_error");
  }
}

TEST_F(RoutesTest, AnErrorInMidStreamIsAnEventAndNoDoneFollows) {
  const auto events = events_of(chat("break", R"(,"stream":true)"));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(json::parse(events[2].substr(6)).at("error").at("message"),
            "the logits are not numbers");
}

TEST_F(RoutesTest, ASilentStreamIsKeptOpenByPings) {
  TestClient client(server_.port());
  const std::string body = R"({"messages":[{"role":"user","content":"hang"}],"stream":true})";
  client.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: application/json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(client.read_until(": ping\n\n").ends_with(": ping\n\n"));
}

TEST_F(RoutesTest, AClientThatLeavesCancelsItsAnswerAndNoOther) {
  const std::string stalling = R"({"messages":[{"role":"user","content":"stall"}],"stream":true})";
  const std::string hanging = R"({"messages":[{"role":"user","content":"hang"}]})";
  auto post_to = [&](TestClient& client, const std::string& body) {
    client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
  };
  TestClient stays(server_.port());
  post_to(stays, stalling);
  EXPECT_TRUE(stays.read_until("piece").ends_with("piece"));
  for (const std::string& body : {stalling, hanging}) {
    TestClient leaves(server_.port());
    post_to(leaves, body);
    for (int i = 0; i < 1000 && answerer_.n_running() < 2; ++i) std::this_thread::sleep_for(2ms);
    ASSERT_EQ(answerer_.n_running(), 2U);
    leaves.close();
    for (int i = 0; i < 1000 && answerer_.n_running() > 1; ++i) std::this_thread::sleep_for(2ms);
    EXPECT_EQ(answerer_.n_running(), 1U);
  }
  stays.close();
  EXPECT_TRUE(eventually_idle());
}

TEST_F(RoutesTest, ErrorsHaveOpenAisShapeAndNameTheField) {
  const Reply reply = chat("say x", R"(,"temperature":3)");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.parsed(),
            json::parse(R"({"error":{"message":"temperature must be 0 to 2; it is 3",
                "type":"invalid_request_error","param":"temperature","code":"invalid_value"}})"));
}

struct ErrorCase {
  const char* method;
  const char* path;
  const char* body;
  const char* headers;
  int status;
  const char* code;
};

TEST_F(RoutesTest, EveryWrongRequestHasItsStatus) {
  const char* json_type = "Content-Type: application/json\r\n";
  const char* ok = R"({"messages":[{"role":"user","content":"say x"}]})";
  const ErrorCase table[] = {
      {"GET", "/nowhere", "", "", 404, "not_found"},
      {"GET", "/v1", "", "", 404, "not_found"},
      {"GET", "/v1/models/", "", "", 404, "not_found"},
      {"GET", "/%ff%fe", "", "", 404, "not_found"},
      {"GET", "/v1/models/other", "", "", 404, "model_not_found"},
      {"GET", "/v1/chat/completions", "", "", 405, "method_not_allowed"},
      {"DELETE", "/v1/models", "", "", 405, "method_not_allowed"},
      {"POST", "/health", "", "", 405, "method_not_allowed"},
      {"POST", "/", "", "", 405, "method_not_allowed"},
      {"BREW", "/v1/completions", "", "", 405, "method_not_allowed"},
      {"POST", "/v1/chat/completions", ok, "", 415, "unsupported_media_type"},
      {"POST", "/v1/chat/completions", ok, "Content-Type: text/plain\r\n", 415,
       "unsupported_media_type"},
      {"POST", "/v1/chat/completions", ok, "Content-Type: application/jsonx\r\n", 415,
       "unsupported_media_type"},
      {"POST", "/v1/chat/completions", "{", json_type, 400, "invalid_value"},
      {"POST", "/v1/chat/completions",
       R"({"model":"other","messages":[{"role":"user","content":"x"}]})", json_type, 404,
       "model_not_found"},
      {"POST", "/v1/chat/completions", R"({"messages":[{"role":"user","content":"overflow"}]})",
       json_type, 400, "context_length_exceeded"},
      {"POST", "/v1/chat/completions", R"({"messages":[{"role":"user","content":"full"}]})",
       json_type, 429, "queue_full"},
      {"POST", "/v1/chat/completions", R"({"messages":[],"tools":[1]})", json_type, 400, nullptr},
  };
  for (const ErrorCase& row : table) {
    const Reply reply = request(row.method, row.path, row.body, row.headers);
    EXPECT_EQ(reply.status, row.status) << row.method << " " << row.path << " " << row.body;
    if (row.code != nullptr) {
      EXPECT_EQ(reply.error().at("code"), row.code) << row.path << row.body;
    }
    EXPECT_TRUE(reply.has("content-type: application/json"));
    EXPECT_NE(reply.head.find("\r\nx-request-id: req_"), std::string::npos);
  }
}

TEST_F(RoutesTest, A405SaysWhatIsAllowedAndA429WhenToComeBack) {
  EXPECT_TRUE(request("PUT", "/v1/models").has("allow: GET, HEAD"));
  EXPECT_TRUE(request("GET", "/v1/completions").has("allow: POST"));
  EXPECT_TRUE(chat("full").has("retry-after: 1"));
}

TEST_F(RoutesTest, ModelsAreListedAndShown) {
  chat("say x");  // loads it
  const json::value card = json::parse(
      R"({"id":"tiny","object":"model","created":1234,"owned_by":"jarip","state":"loaded",
          "size":40,"task":"completion","family":"llama","context_length":512,"memory":40,
          "format":"q8_0","default":true})");
  const json::value list = request("GET", "/v1/models").parsed();
  EXPECT_EQ(list.at("object"), "list");
  ASSERT_EQ(list.at("data").as_array().size(), 3U);
  EXPECT_EQ(list.at("data").at(0), card);
  EXPECT_EQ(list.at("data").at(1).at("state"), "too_large");
  EXPECT_EQ(list.at("data").at(2).at("state"), "unloaded");
  EXPECT_EQ(list.at("data").at(2).at("task"), "embedding");
  EXPECT_EQ(request("GET", "/v1/models/tiny").parsed(), card);
  EXPECT_EQ(request("GET", "/v1/models/t%69ny").parsed(), card);
}

TEST_F(RoutesTest, HealthTellsLoadingFromReadyFromStopping) {
  EXPECT_EQ(request("GET", "/health").body, R"({"status":"ok"})");
  routes_.set_stopping();
  const Reply stopping = request("GET", "/health");
  EXPECT_EQ(stopping.status, 503);
  EXPECT_EQ(stopping.body, R"({"status":"stopping"})");
}

// A server whose models are being loaded.
class LoadingRoutesTest : public RoutesTest {
 protected:
  LoadingRoutesTest() { loads_.acquire(); }

  void send_chat(TestClient& client, const std::string& more) const {
    const std::string body = R"({"messages":[{"role":"user","content":"say Hello"}])" + more + "}";
    client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  bool eventually(ModelState state, std::string_view name = "tiny") {
    for (int i = 0; i < 1000; ++i) {
      if (models_.status(name)->state == state) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }
};

TEST_F(LoadingRoutesTest, AStreamIsKeptOpenByPingsUntilItsModelIsThere) {
  TestClient client(server_.port());
  send_chat(client, R"(,"stream":true)");
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(client.read_until(": ping\n\n").ends_with(": ping\n\n"));
  const json::value shown = request("GET", "/v1/models/tiny").parsed();
  EXPECT_EQ(shown.at("state"), "loading");
  EXPECT_EQ(shown.at("progress").to_number<double>(), 0.25);
  loads_.release();
  EXPECT_TRUE(client.read_until("Hello").ends_with("Hello"));
  EXPECT_TRUE(client.read_until("[DONE]").ends_with("[DONE]"));
}

TEST_F(LoadingRoutesTest, WholeAnswersWaitAndTheirLimitsHold) {
  const Reply late = chat("say x", R"(,"max_queue_ms":50)");
  EXPECT_EQ(late.status, 503) << late.body;
  EXPECT_EQ(late.error().at("param"), "max_queue_ms");
  TestClient client(server_.port());
  send_chat(client, "");
  ASSERT_TRUE(eventually(ModelState::kLoading));
  loads_.release();
  EXPECT_TRUE(client.read_until("Hello").contains("HTTP/1.1 200 "));
}

TEST_F(LoadingRoutesTest, AClientThatLeavesNoLongerWaits) {
  {
    TestClient client(server_.port());
    send_chat(client, "");
    ASSERT_TRUE(eventually(ModelState::kLoading));
    client.close();
  }
  loads_.release();
  ASSERT_TRUE(eventually(ModelState::kLoaded));
  for (int i = 0; i < 1000 && models_.status("tiny")->n_users > 0; ++i) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(models_.status("tiny")->n_users, 0U);
  EXPECT_TRUE(eventually_idle());
}

TEST_F(LoadingRoutesTest, WhatAModelIsNotMadeForIsRefusedWithoutLoadingIt) {
  const Reply text = chat("say x", R"(,"model":"vectors")");
  EXPECT_EQ(text.status, 400);
  EXPECT_TRUE(text.body.contains("/v1/embeddings")) << text.body;
  EXPECT_EQ(post("/v1/embeddings", R"({"model":"tiny","input":"x"})").status, 400);
  EXPECT_EQ(chat("say x", R"(,"temperature":9)").status, 400);
  const Reply huge = chat("say x", R"(,"model":"huge")");
  EXPECT_EQ(huge.status, 400) << huge.body;
  EXPECT_EQ(huge.error().at("code"), "model_too_large");
  EXPECT_TRUE(huge.body.contains("3.9 KiB") && huge.body.contains("100 B")) << huge.body;
  const Reply unknown = chat("say x", R"(,"model":"other")");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_TRUE(unknown.body.contains("huge, tiny, vectors")) << unknown.body;
  for (const ModelStatus& model : models_.list()) EXPECT_EQ(model.n_loads, 0U);
}

TEST_F(LoadingRoutesTest, AnOperatorLoadsAndUnloads) {
  loads_.release();
  const Reply loaded = post("/models/load", R"({"model":"tiny"})");
  EXPECT_EQ(loaded.status, 200) << loaded.body;
  EXPECT_EQ(loaded.parsed().at("state"), "loaded");
  EXPECT_EQ(post("/models/unload", R"({"model":"tiny"})").status, 200);
  EXPECT_TRUE(eventually(ModelState::kUnloaded));
  EXPECT_EQ(post("/models/unload", R"({"model":"other"})").status, 404);
  EXPECT_EQ(post("/models/load", R"({"model":"huge"})").status, 400);
  EXPECT_EQ(post("/models/load", R"({})").error().at("param"), "model");
}

TEST_F(RoutesTest, MetricsCountAnswersAndFollowTheEngine) {
  chat("say a b c");
  chat("fail");
  // A request counts once nobody holds its record any more, which may be after its reply.
  const std::string last =
      "jarip_http_requests_total{route=\"/v1/chat/completions\",method=\"POST\",status=\"500\"} "
      "1\n";
  Reply reply = request("GET", "/metrics");
  for (int i = 0; i < 1000 && reply.body.find(last) == std::string::npos; ++i) {
    std::this_thread::sleep_for(5ms);
    reply = request("GET", "/metrics");
  }
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has("content-type: text/plain; version=0.0.4; charset=utf-8"));
  for (const char* line : {
           "jarip_request_success_total{finished_reason=\"stop\"} 1\n",
           "jarip_request_success_total{finished_reason=\"error\"} 1\n",
           "jarip_num_requests_running 0\n",
           "jarip_kv_cache_usage_perc 0.25\n",
           "jarip_generation_tokens_total 11\n",
           "jarip_spec_decode_num_draft_tokens_total 9\n",
           "jarip_spec_decode_num_accepted_tokens_total 7\n",
           "jarip_time_to_first_token_seconds_sum 0.02\n",
           "jarip_inter_token_latency_seconds_count 2\n",
           last.c_str(),
       }) {
    EXPECT_NE(reply.body.find(line), std::string::npos) << line << reply.body;
  }
}

TEST_F(RoutesTest, ARequestKeepsItsIdIfThatIsOne) {
  EXPECT_TRUE(request("GET", "/health", "", "X-Request-Id: abc-1.2:3_4\r\n")
                  .has("x-request-id: abc-1.2:3_4"));
  for (const std::string& bad : {std::string("a b"), std::string(129, 'a'), std::string("<x>")}) {
    const Reply reply = request("GET", "/health", "", "X-Request-Id: " + bad + "\r\n");
    EXPECT_NE(reply.head.find("\r\nx-request-id: req_"), std::string::npos) << bad;
  }
}

TEST_F(RoutesTest, ThePageIsServedCompressedOrPlainUnderAStrictPolicy) {
  const Reply gzipped = request("GET", "/", "", "Accept-Encoding: br, gzip;q=0.5\r\n");
  EXPECT_EQ(gzipped.status, 200);
  EXPECT_EQ(gzipped.body, page_gzip_);
  EXPECT_TRUE(gzipped.has("content-encoding: gzip"));
  for (const char* headers :
       {"", "Accept-Encoding: gzip;q=0, br\r\n", "Accept-Encoding: identity\r\n"}) {
    const Reply plain = request("GET", "/index.html", "", headers);
    EXPECT_EQ(plain.body, page_) << headers;
    EXPECT_EQ(plain.head.find("content-encoding"), std::string::npos);
  }
  for (const char* line :
       {"x-content-type-options: nosniff", "referrer-policy: no-referrer", "vary: accept-encoding",
        "cache-control: no-cache", "content-type: text/html; charset=utf-8"}) {
    EXPECT_TRUE(gzipped.has(line)) << line << gzipped.head;
  }
  EXPECT_NE(gzipped.head.find("default-src 'self'"), std::string::npos);
  EXPECT_NE(gzipped.head.find("frame-ancestors 'none'"), std::string::npos);
  EXPECT_EQ(gzipped.head.find("unsafe"), std::string::npos);
}

TEST_F(RoutesTest, FilesAreCachedByTagAndByName) {
  EXPECT_TRUE(
      request("GET", "/assets/x-abc.js").has("cache-control: public, max-age=31536000, immutable"));
  const Reply page = request("GET", "/");
  EXPECT_TRUE(page.has("etag: W/\"p1\""));
  for (const char* tag : {"W/\"p1\"", "\"p1\"", "\"x\", W/\"p1\"", "*"}) {
    const Reply same = request("GET", "/", "", std::string("If-None-Match: ") + tag + "\r\n");
    EXPECT_EQ(same.status, 304) << tag;
    EXPECT_EQ(same.body, "");
  }
  EXPECT_EQ(request("GET", "/", "", "If-None-Match: \"p2\"\r\n").status, 200);
  const Reply head = request("HEAD", "/");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_TRUE(head.has("content-length: " + std::to_string(page_.size())));
}

TEST_F(RoutesTest, AListedPageOfElsewhereMayAskAndAnotherMayNot) {
  const Reply preflight =
      request("OPTIONS", "/v1/chat/completions", "",
              "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_TRUE(preflight.has("access-control-allow-origin: https://app.example"));
  EXPECT_TRUE(preflight.has("access-control-allow-methods: POST"));
  const Reply with_headers =
      request("OPTIONS", "/v1/chat/completions", "",
              "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
              "Access-Control-Request-Headers: authorization,x-stainless-os\r\n");
  EXPECT_TRUE(with_headers.has("access-control-allow-headers: authorization,x-stainless-os"));
  const Reply odd = request("OPTIONS", "/v1/chat/completions", "",
                            "Origin: https://app.example\r\n"
                            "Access-Control-Request-Headers: a;b\r\n");
  EXPECT_TRUE(
      odd.has("access-control-allow-headers: authorization, content-type, x-api-key, "
              "anthropic-version, anthropic-beta, x-request-id"));
  const Reply allowed = request("GET", "/health", "", "Origin: https://app.example\r\n");
  EXPECT_EQ(allowed.status, 200);
  EXPECT_TRUE(allowed.has("access-control-allow-origin: https://app.example"));
  const Reply foreign = request("GET", "/health", "", "Origin: https://evil.example\r\n");
  EXPECT_EQ(foreign.status, 403);
  EXPECT_EQ(foreign.error().at("code"), "forbidden");
  EXPECT_EQ(foreign.head.find("access-control"), std::string::npos);
  EXPECT_EQ(request("GET", "/health").head.find("access-control"), std::string::npos);
}

TEST_F(RoutesTest, AnswersInFlightEndBeforeTheServerStops) {
  TestClient client(server_.port());
  const std::string body = R"({"messages":[{"role":"user","content":"stall"}],"stream":true})";
  client.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: application/json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  client.read_until("piece");
  EXPECT_EQ(server_.drain(50ms).wait_for(5s), std::future_status::ready);
  EXPECT_TRUE(eventually_idle());
}

}  // namespace
}  // namespace jarip

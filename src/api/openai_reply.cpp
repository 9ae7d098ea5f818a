#include "api/openai_reply.h"

#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <utility>

#include "api/error_reply.h"
#include "api/json_body.h"
#include "api/token_logprobs.h"
#include "base/utf8.h"
#include "net/sse.h"

namespace jarip {
namespace {

bool is_chat(OpenAiEndpoint endpoint) { return endpoint == OpenAiEndpoint::kChat; }

// offset: characters of the answer before these tokens; moved past them.
std::string completion_logprobs(std::span<const TokenDetail> details, std::size_t& offset) {
  std::string tokens;
  std::string logprobs;
  std::string tops;
  std::string offsets;
  for (const TokenDetail& detail : details) {
    const std::string_view comma = tokens.empty() ? "" : ",";
    tokens += fmt::format("{}{}", comma, json_string_of_bytes(detail.chosen.bytes));
    logprobs += fmt::format("{}{}", comma, logprob_json(detail.chosen.logprob));
    offsets += fmt::format("{}{}", comma, offset);
    tops += fmt::format("{}{{", comma);
    for (std::size_t i = 0; i < detail.alternatives.size(); ++i) {
      tops += fmt::format("{}{}:{}", i == 0 ? "" : ",",
                          json_string_of_bytes(detail.alternatives[i].bytes),
                          logprob_json(detail.alternatives[i].logprob));
    }
    tops += '}';
    offset += count_characters(detail.chosen.bytes);
  }
  return fmt::format(
      R"({{"tokens":[{}],"token_logprobs":[{}],"top_logprobs":[{}],"text_offset":[{}]}})", tokens,
      logprobs, tops, offsets);
}

std::string logprobs_json(OpenAiEndpoint endpoint, std::span<const TokenDetail> details,
                          std::size_t& offset) {
  if (details.empty()) return "null";
  if (!is_chat(endpoint)) return completion_logprobs(details, offset);
  return fmt::format(R"({{"content":{},"refusal":null}})", token_logprobs_json(details));
}

// What all choices used, in their order. A prompt counts once, however many answers it has.
class Usage {
 public:
  Usage(std::uint32_t n_per_prompt, OpenAiEndpoint endpoint)
      : n_per_prompt_(n_per_prompt), endpoint_(endpoint) {}

  void add(const TurnEnd& end) {
    n_new_ += end.n_new_tokens;
    n_reasoning_ += end.n_reasoning_tokens;
    if (n_choices_++ % n_per_prompt_ != 0) return;
    n_prompt_ += end.n_prompt_tokens;
    n_cached_ += end.n_cached_tokens;
  }
  [[nodiscard]] std::string json() const {
    return fmt::format(
        R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},)"
        R"("prompt_tokens_details":{{"cached_tokens":{}}}{}}})",
        n_prompt_, n_new_, n_prompt_ + n_new_, n_cached_,
        is_chat(endpoint_)
            ? fmt::format(R"(,"completion_tokens_details":{{"reasoning_tokens":{}}})", n_reasoning_)
            : "");
  }

 private:
  std::uint32_t n_per_prompt_;
  OpenAiEndpoint endpoint_;
  std::uint64_t n_choices_ = 0;
  std::uint64_t n_prompt_ = 0;
  std::uint64_t n_cached_ = 0;
  std::uint64_t n_new_ = 0;
  std::uint64_t n_reasoning_ = 0;
};

std::string_view finish_reason(const TurnEnd& end, bool has_calls) {
  if (end.finish == TurnFinish::kLength) return "length";
  return has_calls && !end.stop ? "tool_calls" : "stop";
}

// Clients know it by either name.
std::string reasoning_json(std::string_view text) {
  const std::string json = json_string(text);
  return fmt::format(R"("reasoning_content":{},"reasoning":{})", json, json);
}

std::string message_json(const WholeAnswer& answer) {
  std::string calls;
  for (const ToolCall& call : answer.calls) {
    calls += fmt::format(
        R"({}{{"id":"call_{}","type":"function","function":{{"name":{},"arguments":{}}}}})",
        calls.empty() ? "" : ",", call.id, json_string(call.name), json_string(call.arguments));
  }
  return fmt::format(
      R"("message":{{"role":"assistant","content":{},"refusal":null,"annotations":[]{}{}}})",
      answer.text.empty() && !calls.empty() ? "null" : json_string(answer.text),
      answer.reasoning.empty() ? "" : "," + reasoning_json(answer.reasoning),
      calls.empty() ? "" : fmt::format(R"(,"tool_calls":[{}])", calls));
}

// {"id":…,"object":…,"created":…,"model":…,"system_fingerprint":…,
std::string header_json(const AnswerHeader& header, std::string_view object) {
  return fmt::format(R"({{"id":{},"object":"{}","created":{},"model":{},"system_fingerprint":{},)",
                     json_string(header.id), object, header.created, json_string(header.model),
                     json_string(header.fingerprint));
}

std::int64_t seed_of(const TurnEnd& end) { return static_cast<std::int64_t>(end.seed); }

}  // namespace

OpenAiWriter::OpenAiWriter(const AnswerHeader& header, std::uint32_t n_choices, bool include_usage,
                           std::uint32_t n_prompts)
    : header_(header),
      n_per_prompt_(n_choices),
      include_usage_(include_usage),
      prefix_(header_json(header,
                          is_chat(header.endpoint) ? "chat.completion.chunk" : "text_completion") +
              R"("choices":[)"),
      choices_(std::size_t{n_choices} * n_prompts) {}

// With usage asked for, OpenAI's chunks but the last say "usage":null.
void OpenAiWriter::append_chunk(std::string& out, std::string_view choice) const {
  append_sse_event(
      out, fmt::format("{}{}]{}}}", prefix_, choice, include_usage_ ? R"(,"usage":null)" : ""));
}

void OpenAiWriter::append_role(std::string& out, std::uint32_t choice) {
  if (std::exchange(choices_[choice].has_begun, true) || !is_chat(header_.endpoint)) return;
  append_chunk(out, fmt::format(R"({{"index":{},"delta":{{"role":"assistant","content":""}},)"
                                R"("logprobs":null,"finish_reason":null}})",
                                choice));
}

void OpenAiWriter::append_delta(std::string& out, std::uint32_t choice, const TextDelta& delta) {
  append_role(out, choice);
  if (delta.text.empty() && delta.details.empty()) return;
  const std::string logprobs =
      logprobs_json(header_.endpoint, delta.details, choices_[choice].text_offset);
  if (!is_chat(header_.endpoint)) {
    append_chunk(out, fmt::format(R"({{"text":{},"index":{},"logprobs":{},"finish_reason":null}})",
                                  json_string(delta.text), choice, logprobs));
    return;
  }
  const std::string content =
      delta.text.empty() ? "" : fmt::format(R"("content":{})", json_string(delta.text));
  append_chunk(out,
               fmt::format(R"({{"index":{},"delta":{{{}}},"logprobs":{},"finish_reason":null}})",
                           choice, content, logprobs));
}

void OpenAiWriter::append_chat_delta(std::string& out, std::uint32_t choice,
                                     std::string_view members) const {
  append_chunk(out,
               fmt::format(R"({{"index":{},"delta":{{{}}},"logprobs":null,"finish_reason":null}})",
                           choice, members));
}

void OpenAiWriter::append_reasoning(std::string& out, std::uint32_t choice,
                                    const ReasoningDelta& delta) {
  append_role(out, choice);
  append_chat_delta(out, choice, reasoning_json(delta.text));
}

void OpenAiWriter::append_call(std::string& out, std::uint32_t choice, const CallDelta& delta) {
  append_role(out, choice);
  choices_[choice].has_calls = true;
  const std::string arguments = fmt::format(R"("arguments":{})", json_string(delta.arguments));
  const std::string call =
      delta.name.empty()
          ? fmt::format(R"("function":{{{}}})", arguments)
          : fmt::format(R"("id":"call_{}","type":"function","function":{{"name":{},{}}})", delta.id,
                        json_string(delta.name), arguments);
  append_chat_delta(out, choice,
                    fmt::format(R"("tool_calls":[{{"index":{},{}}}])", delta.index, call));
}

void OpenAiWriter::append_end(std::string& out, std::uint32_t choice, const TurnEnd& end) {
  append_role(out, choice);
  append_chunk(out,
               fmt::format(R"({{{}"index":{},"logprobs":null,"finish_reason":"{}","seed":{}}})",
                           is_chat(header_.endpoint) ? R"("delta":{},)" : R"("text":"",)", choice,
                           finish_reason(end, choices_[choice].has_calls), seed_of(end)));
  choices_[choice].end = end;
}

void OpenAiWriter::append_finish(std::string& out) {
  if (include_usage_) {
    Usage usage(n_per_prompt_, header_.endpoint);
    for (const Choice& choice : choices_) usage.add(choice.end);
    append_sse_event(out, fmt::format(R"({}],"usage":{}}})", prefix_, usage.json()));
  }
  append_sse_event(out, "[DONE]");
}

void OpenAiWriter::append_error(std::string& out, const Error& error) {
  append_sse_event(out, error_json(error));
}

std::string OpenAiWriter::whole(const std::vector<WholeAnswer>& answers) {
  std::string choices;
  Usage usage(n_per_prompt_, header_.endpoint);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const WholeAnswer& answer = answers[i];
    std::size_t offset = 0;
    const std::string logprobs = logprobs_json(header_.endpoint, answer.details, offset);
    const std::string content = is_chat(header_.endpoint)
                                    ? message_json(answer)
                                    : fmt::format(R"("text":{})", json_string(answer.text));
    choices += fmt::format(R"({}{{"index":{},{},"logprobs":{},"finish_reason":"{}","seed":{}}})",
                           i == 0 ? "" : ",", i, content, logprobs,
                           finish_reason(answer.end, !answer.calls.empty()), seed_of(answer.end));
    usage.add(answer.end);
  }
  return fmt::format(
      R"({}"choices":[{}],"usage":{}}})",
      header_json(header_, is_chat(header_.endpoint) ? "chat.completion" : "text_completion"),
      choices, usage.json());
}

}  // namespace jarip

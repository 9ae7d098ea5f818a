#include "api/openai_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <iterator>
#include <span>

#include "api/error_reply.h"
#include "base/utf8.h"
#include "net/sse.h"

namespace jarip {
namespace {

constexpr float kLowestLogprob = -9999.0F;  // as OpenAI writes "never"; JSON has no infinity

bool is_chat(OpenAiEndpoint endpoint) { return endpoint == OpenAiEndpoint::kChat; }

std::string json_string(std::string_view text) { return boost::json::serialize(text); }

// Bytes of a token need not be whole characters.
std::string json_token(std::string_view bytes) { return json_string(replace_invalid(bytes)); }

std::string logprob_text(float logprob) {
  return fmt::format("{}", std::isfinite(logprob) ? logprob : kLowestLogprob);
}

std::size_t n_characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(
      utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

void append_chat_token(std::string& out, const TokenDetail::Choice& choice) {
  fmt::format_to(std::back_inserter(out), R"("token":{},"logprob":{},"bytes":[)",
                 json_token(choice.bytes), logprob_text(choice.logprob));
  for (std::size_t i = 0; i < choice.bytes.size(); ++i) {
    fmt::format_to(std::back_inserter(out), "{}{}", i == 0 ? "" : ",",
                   static_cast<unsigned char>(choice.bytes[i]));
  }
  out += ']';
}

std::string chat_logprobs(std::span<const TokenDetail> details) {
  std::string out = R"({"content":[)";
  for (const TokenDetail& detail : details) {
    if (!out.ends_with('[')) out += ',';
    out += '{';
    append_chat_token(out, detail.chosen);
    out += R"(,"top_logprobs":[)";
    for (std::size_t i = 0; i < detail.alternatives.size(); ++i) {
      out += i == 0 ? "{" : ",{";
      append_chat_token(out, detail.alternatives[i]);
      out += '}';
    }
    out += "]}";
  }
  out += R"(],"refusal":null})";
  return out;
}

// offset: characters of the answer before these tokens; moved past them.
std::string completion_logprobs(std::span<const TokenDetail> details, std::size_t& offset) {
  std::string tokens;
  std::string logprobs;
  std::string tops;
  std::string offsets;
  for (const TokenDetail& detail : details) {
    const std::string_view comma = tokens.empty() ? "" : ",";
    tokens += fmt::format("{}{}", comma, json_token(detail.chosen.bytes));
    logprobs += fmt::format("{}{}", comma, logprob_text(detail.chosen.logprob));
    offsets += fmt::format("{}{}", comma, offset);
    tops += fmt::format("{}{{", comma);
    for (std::size_t i = 0; i < detail.alternatives.size(); ++i) {
      tops += fmt::format("{}{}:{}", i == 0 ? "" : ",", json_token(detail.alternatives[i].bytes),
                          logprob_text(detail.alternatives[i].logprob));
    }
    tops += '}';
    offset += n_characters(detail.chosen.bytes);
  }
  return fmt::format(
      R"({{"tokens":[{}],"token_logprobs":[{}],"top_logprobs":[{}],"text_offset":[{}]}})", tokens,
      logprobs, tops, offsets);
}

std::string logprobs_json(OpenAiEndpoint endpoint, std::span<const TokenDetail> details,
                          std::size_t& offset) {
  if (details.empty()) return "null";
  return is_chat(endpoint) ? chat_logprobs(details) : completion_logprobs(details, offset);
}

std::string usage_json(const TurnEnd& end) {
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},)"
                     R"("prompt_tokens_details":{{"cached_tokens":{}}}}})",
                     end.n_prompt_tokens, end.n_new_tokens,
                     std::uint64_t{end.n_prompt_tokens} + end.n_new_tokens, end.n_cached_tokens);
}

std::string_view finish_reason(const TurnEnd& end) {
  return end.finish == TurnFinish::kLength ? "length" : "stop";
}

// {"id":…,"object":…,"created":…,"model":…,"system_fingerprint":…,
std::string header_json(const AnswerHeader& header, std::string_view object) {
  return fmt::format(R"({{"id":{},"object":"{}","created":{},"model":{},"system_fingerprint":{},)",
                     json_string(header.id), object, header.created, json_string(header.model),
                     json_string(header.fingerprint));
}

}  // namespace

OpenAiStreamWriter::OpenAiStreamWriter(const AnswerHeader& header, bool include_usage)
    : endpoint_(header.endpoint),
      include_usage_(include_usage),
      prefix_(header_json(header,
                          is_chat(header.endpoint) ? "chat.completion.chunk" : "text_completion") +
              R"("choices":[)") {}

// With usage asked for, OpenAI's chunks but the last say "usage":null.
void OpenAiStreamWriter::append_chunk(std::string& out, std::string_view choice) const {
  append_sse_event(
      out, fmt::format("{}{}]{}}}", prefix_, choice, include_usage_ ? R"(,"usage":null)" : ""));
}

void OpenAiStreamWriter::append_role(std::string& out) {
  if (has_begun_) return;
  has_begun_ = true;
  if (!is_chat(endpoint_)) return;
  append_chunk(out, R"({"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,)"
                    R"("finish_reason":null})");
}

void OpenAiStreamWriter::append_delta(std::string& out, const TextDelta& delta) {
  append_role(out);
  if (delta.text.empty() && delta.details.empty()) return;
  const std::string logprobs = logprobs_json(endpoint_, delta.details, text_offset_);
  if (!is_chat(endpoint_)) {
    append_chunk(out, fmt::format(R"({{"text":{},"index":0,"logprobs":{},"finish_reason":null}})",
                                  json_string(delta.text), logprobs));
    return;
  }
  const std::string content =
      delta.text.empty() ? "" : fmt::format(R"("content":{})", json_string(delta.text));
  append_chunk(out,
               fmt::format(R"({{"index":0,"delta":{{{}}},"logprobs":{},"finish_reason":null}})",
                           content, logprobs));
}

void OpenAiStreamWriter::append_end(std::string& out, const TurnEnd& end) {
  append_role(out);
  append_chunk(out, fmt::format(R"({{{}"index":0,"logprobs":null,"finish_reason":"{}"}})",
                                is_chat(endpoint_) ? R"("delta":{},)" : R"("text":"",)",
                                finish_reason(end)));
  if (include_usage_) {
    append_sse_event(out, fmt::format(R"({}],"usage":{}}})", prefix_, usage_json(end)));
  }
  append_sse_event(out, "[DONE]");
}

void OpenAiStreamWriter::append_error(std::string& out, const Error& error) {
  append_sse_event(out, error_json(error));
}

std::string openai_answer_json(const AnswerHeader& header, const std::vector<TextDelta>& deltas,
                               const TurnEnd& end) {
  std::string text;
  std::vector<TokenDetail> details;
  for (const TextDelta& delta : deltas) {
    text += delta.text;
    details.insert(details.end(), delta.details.begin(), delta.details.end());
  }
  std::size_t offset = 0;
  const std::string logprobs = logprobs_json(header.endpoint, details, offset);
  const std::string content =
      is_chat(header.endpoint)
          ? fmt::format(
                R"("message":{{"role":"assistant","content":{},"refusal":null,"annotations":[]}})",
                json_string(text))
          : fmt::format(R"("text":{})", json_string(text));
  return fmt::format(
      R"({}"choices":[{{"index":0,{},"logprobs":{},"finish_reason":"{}"}}],"usage":{}}})",
      header_json(header, is_chat(header.endpoint) ? "chat.completion" : "text_completion"),
      content, logprobs, finish_reason(end), usage_json(end));
}

std::optional<Error> failure_of(const TurnEnd& end) {
  if (end.error) return end.error;
  if (end.finish == TurnFinish::kFailed) {
    return Error{ErrorCode::kInternal, "the answer failed", {}};
  }
  if (end.finish == TurnFinish::kCancelled) {
    return Error{ErrorCode::kUnavailable, "the server is stopping", {}};
  }
  return std::nullopt;
}

}  // namespace jarip

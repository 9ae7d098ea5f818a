// Any bytes as a request of every dialect: a Turn within its ranges, or an error that can be
// rendered as JSON.
#include <boost/json/parse.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <variant>

#include "api/anthropic_request.h"
#include "api/error_reply.h"
#include "api/infill.h"
#include "api/openai_request.h"
#include "api/responses_request.h"
#include "base/utf8.h"

namespace jarip {
namespace {

constexpr std::uint32_t kVocab = 1000;

void require(bool holds) {
  if (!holds) std::abort();
}

bool lies_in(float value, float min, float max) { return value >= min && value <= max; }

void check_turn(const Turn& turn) {
  const SamplingParams& sampling = turn.sampling;
  require(lies_in(sampling.temperature, 0, 2) && lies_in(sampling.top_p, 0, 1));
  require(lies_in(sampling.min_p, 0, 1) && lies_in(sampling.repetition_penalty, 0.0099F, 10));
  require(lies_in(sampling.presence_penalty, -2, 2) && lies_in(sampling.frequency_penalty, -2, 2));
  for (const auto& [token, bias] : sampling.logit_bias) {
    require(token < kVocab && lies_in(bias, -100, 100));
  }
  require(turn.max_new_tokens.value_or(1) >= 1 && turn.n_logprobs.value_or(0) <= 20);
  for (const std::string& stop : turn.stop) require(!stop.empty() && is_valid_utf8(stop));
  if (const auto* messages = std::get_if<std::vector<Message>>(&turn.input)) {
    require(!messages->empty());
    for (const Message& message : *messages) require(is_valid_utf8(message.content));
  } else if (const auto* tokens = std::get_if<std::vector<TokenId>>(&turn.input)) {
    require(!tokens->empty());
    for (const TokenId token : *tokens) require(token < kVocab);
  } else if (const auto* text = std::get_if<std::string>(&turn.input)) {
    require(is_valid_utf8(*text));
  }
}

void check_error(const Error& error) {
  require(!error.message.empty() && error.message.size() < 1000);
  require(error_row(error).status == 400);
  const auto body = boost::json::parse(error_json(error));
  require(body.at("error").at("message").is_string());
}

}  // namespace
}  // namespace jarip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  const auto check = [](const auto& request) {
    request ? jarip::check_turn(request->turn) : jarip::check_error(request.error());
  };
  for (const auto endpoint : {jarip::OpenAiEndpoint::kChat, jarip::OpenAiEndpoint::kCompletions}) {
    check(jarip::parse_openai_request(endpoint, body, jarip::kVocab));
  }
  check(jarip::parse_responses_request(body, jarip::kVocab));
  check(jarip::parse_anthropic_request(body, jarip::kVocab));
  check(jarip::plan_infill(body, {"m", 0, jarip::kVocab, 512, "fp"}));
  return 0;
}

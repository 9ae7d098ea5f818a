#include "api/openai.h"

#include <ctime>
#include <memory>
#include <utility>

#include "api/exchange.h"
#include "api/openai_reply.h"
#include "api/openai_request.h"

namespace jarip {
namespace {

Result<AnswerPlan> plan(OpenAiEndpoint endpoint, std::string_view body, const ModelCard& card) {
  JARIP_TRY(OpenAiRequest request, parse_openai_request(endpoint, body, card.n_vocab));
  const AnswerHeader header{endpoint,
                            random_id(endpoint == OpenAiEndpoint::kChat ? "chatcmpl-" : "cmpl-"),
                            std::time(nullptr), card.name, card.fingerprint};
  const auto n_prompts = static_cast<std::uint32_t>(1 + request.more_prompts.size());
  return AnswerPlan{.turn = std::move(request.turn),
                    .more_prompts = std::move(request.more_prompts),
                    .n_choices = request.n_choices,
                    .is_stream = request.is_stream,
                    .writer = std::make_unique<OpenAiWriter>(header, request.n_choices,
                                                             request.include_usage, n_prompts)};
}

}  // namespace

Result<AnswerPlan> plan_chat(std::string_view body, const ModelCard& card) {
  return plan(OpenAiEndpoint::kChat, body, card);
}

Result<AnswerPlan> plan_completion(std::string_view body, const ModelCard& card) {
  return plan(OpenAiEndpoint::kCompletions, body, card);
}

}  // namespace jarip

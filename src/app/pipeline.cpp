#include "app/pipeline.h"

#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "app/answer.h"
#include "app/prompt.h"
#include "app/turn_plan.h"

namespace jarip {

struct Pipeline::State {
  LoadedModel& model;
  DrawSeed draw_seed;
};

namespace {

// The right model, and nothing asked for that can't be honoured exactly.
Result<void> admit(const Turn& turn, const LoadedModel& model) {
  if (!turn.model.empty() && turn.model != model.name()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no model \"{}\" here; the one loaded is \"{}\"", turn.model,
                            model.name()),
                "model");
  }
  if (turn.echo && std::holds_alternative<std::vector<Message>>(turn.input)) {
    return fail(ErrorCode::kInvalidArgument, "messages can't be echoed, only text can", "echo");
  }
  if (turn.continues_last) {
    const auto* messages = std::get_if<std::vector<Message>>(&turn.input);
    if (messages == nullptr || messages->empty() || messages->back().role != Role::kAssistant) {
      return fail(ErrorCode::kInvalidArgument,
                  "an answer can go on only where the last message, an assistant's, ends",
                  "messages");
    }
    if (!messages->back().calls.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  "the last message ends with calls; send their results as the next ones",
                  "messages");
    }
  }
  if (turn.echo && turn.n_logprobs) {
    return fail(ErrorCode::kUnsupported, "echo can't have logprobs: a prompt has none", "echo");
  }
  return {};
}

// What the model reads.
struct Prompt {
  std::vector<TokenId> tokens;
  bool in_reasoning = false;  // and it has to think first
};

Result<std::vector<RenderedSegment>> render_chat(const Turn& turn, const LoadedModel& model) {
  JARIP_TRY(const ChatTemplate* chat_template, model.require_chat_template());
  JARIP_TRY(const auto variables, template_variables_of(turn, *model.answer_shape()));
  auto segments = render_messages(std::get<std::vector<Message>>(turn.input), turn.continues_last,
                                  *chat_template, model.tokenizer(), std::time(nullptr),
                                  prompt_tools_of(turn, model), variables);
  // What the template can't compute with is the request's fault, not the file's.
  if (!segments && !turn.variables.empty()) {
    const std::string& field = turn.variables.front().field;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: the model's chat template can't be rendered with these "
                            "variables: {}",
                            field, segments.error().message),
                field);
  }
  return segments;
}

// Template and tokenizer.
Result<Prompt> prompt_of(const Turn& turn, const LoadedModel& model) {
  JARIP_CHECK(admit(turn, model));
  const Tokenizer& tokenizer = model.tokenizer();
  if (const auto* tokens = std::get_if<std::vector<TokenId>>(&turn.input)) return Prompt{*tokens};
  if (const auto* text = std::get_if<std::string>(&turn.input)) {
    return Prompt{encode_text(*text, tokenizer)};
  }
  if (const auto* infill = std::get_if<Infill>(&turn.input)) {
    JARIP_TRY(const InfillTokens* tokens, model.require_infill_tokens());
    return Prompt{encode_infill(*infill, *tokens, tokenizer)};
  }
  JARIP_TRY(const auto segments, render_chat(turn, model));
  const auto& reasoning = model.answer_shape()->reasoning;
  Prompt prompt{encode_segments(segments, tokenizer),
                reasoning && ends_with_mark(segments, reasoning->open)};
  ensure_bos(prompt.tokens, tokenizer);
  return prompt;
}

// The same call in another conversation has another id. FNV-1a, 64 bits.
std::uint64_t call_id_key(std::uint64_t seed, std::span<const TokenId> prompt) {
  std::uint64_t hash = 0xcbf29ce484222325U ^ seed;
  for (const TokenId token : prompt) hash = (hash ^ token) * 0x100000001b3U;
  return hash;
}

// What the context leaves for an answer. A prompt without room still asks for one token, so that
// the engine's refusal, with both numbers, is the only one there is.
std::uint32_t room_after(std::size_t n_prompt, std::uint32_t n_ctx) {
  return n_prompt < n_ctx ? n_ctx - static_cast<std::uint32_t>(n_prompt) : 1;
}

// An owner has one share of the machine, whatever users it names: a name costs nothing. And no name
// is an owner's.
void set_share(const Turn& turn, GenerateRequest& request) {
  if (turn.owner == 0) {
    request.user = "@" + turn.user;
    return;
  }
  request.cache_domain = std::to_string(turn.owner);
  request.user = request.cache_domain;
  request.user_weight = static_cast<float>(turn.weight);
}

GenerateRequest request_of(const Turn& turn, const LoadedModel& model) {
  GenerateRequest request;
  request.sampling = turn.sampling;
  const std::span<const TokenId> end_tokens = model.tokenizer().end_tokens();
  request.end_tokens.assign(end_tokens.begin(), end_tokens.end());
  if (std::holds_alternative<Infill>(turn.input)) {
    if (const auto tokens = model.require_infill_tokens()) {
      request.end_tokens.insert(request.end_tokens.end(), (*tokens)->ends.begin(),
                                (*tokens)->ends.end());
    }
  }
  request.ignore_end_tokens = turn.ignore_end_tokens;
  request.n_logprobs = turn.n_logprobs;
  set_share(turn, request);
  request.priority = turn.priority;
  request.max_queue_ms = turn.max_queue_ms;
  request.timeout_ms = turn.timeout_ms;
  return request;
}

// Shared: events may come before submit() returns the id, and may outlast the call that submits.
std::shared_ptr<Answer> answer_of(const Turn& turn, const TurnPlan& plan,
                                  const GenerateRequest& request, LoadedModel& model,
                                  TurnSink sink) {
  const Tokenizer& tokenizer = model.tokenizer();
  Engine& engine = model.engine();
  const AnswerShape* const shape = plan.split ? model.answer_shape() : nullptr;
  return std::make_shared<Answer>(AnswerRequest{
      .stop = turn.stop,
      .min_indent = turn.min_indent,
      .line_time_ms = turn.line_time_ms,
      .echo = echo_of(turn, tokenizer),
      .split = plan.split,
      .call_id_key = call_id_key(request.sampling.seed, request.prompt),
      .seed = request.sampling.seed,
      .text_of = [&tokenizer, shape](TokenId id) { return text_in_answer(id, tokenizer, shape); },
      .cancel = [&engine](SequenceId id) { engine.cancel(id); },
      .sink = std::move(sink)});
}

}  // namespace

Pipeline::Pipeline(LoadedModel& model, DrawSeed draw_seed)
    : state_(new State{model, std::move(draw_seed)}) {}

Pipeline::~Pipeline() = default;

const LoadedModel& Pipeline::model() const { return state_->model; }

Result<TurnId> Pipeline::start(Turn turn, TurnSink sink) {
  std::vector<TurnSink> sinks;
  sinks.push_back(std::move(sink));
  JARIP_TRY(const StartedTurn started, start(std::move(turn), std::move(sinks)));
  return started.ids.front();
}

Result<StartedTurn> Pipeline::start(Turn turn, std::vector<TurnSink> sinks) {
  LoadedModel& model = state_->model;
  Engine& engine = model.engine();
  JARIP_TRY(Prompt prompt, prompt_of(turn, model));
  JARIP_TRY(const TurnPlan plan, plan_turn(turn, prompt.in_reasoning, model));
  GenerateRequest request = request_of(turn, model);
  request.prompt = std::move(prompt.tokens);
  request.grammar = plan.grammar;
  request.force = plan.force;
  request.max_new_tokens =
      turn.max_new_tokens.value_or(room_after(request.prompt.size(), engine.n_ctx()));
  StartedTurn started{.ids = {},
                      .n_prompt_tokens = static_cast<std::uint32_t>(request.prompt.size()),
                      .seed = turn.seed ? *turn.seed : state_->draw_seed()};
  for (TurnSink& sink : sinks) {
    const auto index = static_cast<std::uint32_t>(started.ids.size());
    request.sampling.seed = seed_of_choice(started.seed, index);
    const auto answer = answer_of(turn, plan, request, model, std::move(sink));
    auto id = engine.submit(request, [answer](Event event) { answer->take(std::move(event)); });
    if (!id) {
      for (const TurnId other : started.ids) engine.cancel(other);
      return std::unexpected(std::move(id).error());
    }
    answer->started(*id);
    started.ids.push_back(*id);
  }
  return started;
}

void Pipeline::cancel(TurnId id) { state_->model.engine().cancel(id); }

Result<std::vector<TokenId>> Pipeline::read_prompt(const Turn& turn) const {
  JARIP_TRY(Prompt prompt, prompt_of(turn, state_->model));
  return std::move(prompt.tokens);
}

Result<std::string> Pipeline::render(const Turn& turn) const {
  JARIP_CHECK(admit(turn, state_->model));
  JARIP_TRY(const auto segments, render_chat(turn, state_->model));
  std::string text;
  for (const RenderedSegment& segment : segments) text += segment.text;
  return text;
}

}  // namespace jarip

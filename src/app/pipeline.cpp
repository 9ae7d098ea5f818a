#include "app/pipeline.h"

#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "app/answer.h"
#include "app/prompt.h"

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
  if (turn.echo && turn.n_logprobs) {
    return fail(ErrorCode::kUnsupported, "echo can't have logprobs: a prompt has none", "echo");
  }
  return {};
}

// Template and tokenizer.
Result<std::vector<TokenId>> read_prompt(const Turn& turn, const LoadedModel& model) {
  if (const auto* tokens = std::get_if<std::vector<TokenId>>(&turn.input)) return *tokens;
  if (const auto* text = std::get_if<std::string>(&turn.input)) {
    return encode_text(*text, model.tokenizer());
  }
  JARIP_TRY(const ChatTemplate* chat_template, model.require_chat_template());
  return encode_messages(std::get<std::vector<Message>>(turn.input), *chat_template,
                         model.tokenizer(), std::time(nullptr));
}

Result<std::shared_ptr<const Grammar>> compile_form(const std::optional<AnswerForm>& form,
                                                    LoadedModel& model) {
  if (!form) return nullptr;
  Result<std::shared_ptr<const Grammar>> grammar = model.compile_grammar(form->source);
  if (!grammar) {
    return fail(grammar.error().code, fmt::format("{}: {}", form->field, grammar.error().message),
                form->field);
  }
  return grammar;
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

}  // namespace

Pipeline::Pipeline(LoadedModel& model, DrawSeed draw_seed)
    : state_(new State{model, std::move(draw_seed)}) {}

Pipeline::~Pipeline() = default;

const LoadedModel& Pipeline::model() const { return state_->model; }

Result<TurnId> Pipeline::start(Turn turn, TurnSink sink) {
  LoadedModel& model = state_->model;
  Engine& engine = model.engine();
  const Tokenizer& tokenizer = model.tokenizer();
  JARIP_CHECK(admit(turn, model));
  JARIP_TRY(std::vector<TokenId> prompt, read_prompt(turn, model));
  JARIP_TRY(std::shared_ptr<const Grammar> grammar, compile_form(turn.form, model));

  GenerateRequest request;
  request.max_new_tokens = turn.max_new_tokens.value_or(room_after(prompt.size(), engine.n_ctx()));
  request.sampling = std::move(turn.sampling);
  request.sampling.seed = turn.seed ? *turn.seed : state_->draw_seed();
  request.end_tokens.assign(tokenizer.end_tokens().begin(), tokenizer.end_tokens().end());
  request.ignore_end_tokens = turn.ignore_end_tokens;
  request.n_logprobs = turn.n_logprobs;
  request.grammar = std::move(grammar);
  set_share(turn, request);
  request.priority = turn.priority;
  request.max_queue_ms = turn.max_queue_ms;
  request.timeout_ms = turn.timeout_ms;
  request.prompt = std::move(prompt);

  // Shared: events may come before submit() returns the id, and may outlast this call.
  const auto answer = std::make_shared<Answer>(
      AnswerRequest{.stop = std::move(turn.stop),
                    .echo = echo_of(turn, tokenizer),
                    .seed = request.sampling.seed,
                    .text_of = [&tokenizer](TokenId id) { return text_of(id, tokenizer); },
                    .cancel = [&engine](SequenceId id) { engine.cancel(id); },
                    .sink = std::move(sink)});
  JARIP_TRY(const SequenceId id, engine.submit(std::move(request), [answer](Event event) {
    answer->take(std::move(event));
  }));
  answer->started(id);
  return id;
}

void Pipeline::cancel(TurnId id) { state_->model.engine().cancel(id); }

}  // namespace jarip

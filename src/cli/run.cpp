#include "cli/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "app/pipeline.h"
#include "cli/answer_stream.h"
#include "cli/input.h"

namespace jarip {
namespace {

Result<std::string> read_prompt(const RunOptions& options) {
  if (options.prompt && *options.prompt != "-") return *options.prompt;
  JARIP_TRY(std::string text, read_standard_input());
  // A question that a shell pipes in ends its line; text to be completed is taken as it is.
  if (!options.raw && text.ends_with('\n')) text.pop_back();
  return text;
}

Turn turn_of(const RunOptions& options, std::string prompt) {
  Turn turn;
  apply(options.sampling, turn);
  if (options.raw) {
    turn.input = std::move(prompt);
    return turn;
  }
  std::vector<Message> messages;
  if (options.system) messages.push_back({.role = Role::kSystem, .content = *options.system});
  messages.push_back({.role = Role::kUser, .content = std::move(prompt)});
  turn.input = std::move(messages);
  return turn;
}

}  // namespace

Result<void> run_run(const RunOptions& options) {
  if (options.raw && options.system) {
    return fail(ErrorCode::kInvalidArgument,
                "--system needs the chat template, which --raw leaves out", "system");
  }
  JARIP_CHECK(find_model(options.model));  // before a person types a prompt for nothing
  JARIP_TRY(std::string prompt, read_prompt(options));
  JARIP_TRY(const auto model, load_named_model(options.model, options.loading));
  Pipeline pipeline(*model);
  JARIP_TRY(const TurnEnd end,
            stream_answer(pipeline, turn_of(options, std::move(prompt)), write_answer));
  if (isatty(STDOUT_FILENO) == 1) JARIP_CHECK(write_answer("\n"));
  if (options.stats) fmt::print(stderr, "{}\n", speeds_of(end));
  if (end.finish == TurnFinish::kCancelled) {
    return fail(ErrorCode::kCancelled, "stopped by Ctrl-C");
  }
  return {};
}

}  // namespace jarip

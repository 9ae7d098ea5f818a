// An answer brought to the thread that asked for it, and onto standard output. Used by the
// command's own thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "app/pipeline.h"
#include "app/turn.h"
#include "base/result.h"

namespace jarip {

// Starts the turn, calls on_text on this thread for every piece of the answer, and returns when it
// has ended. Ctrl-C cancels the answer (finish is then kCancelled), and so does on_text by
// returning an error, which is then returned. Errors: those of Pipeline::start, and TurnEnd's own.
[[nodiscard]] Result<TurnEnd> stream_answer(
    Pipeline& pipeline, Turn turn,
    const std::function<Result<void>(std::string_view text)>& on_text);

// Writes text at once. On a terminal, control characters other than newline and tab are written
// out: what a model says must not command the terminal. Error: kIo.
[[nodiscard]] Result<void> write_answer(std::string_view text);

// "prompt 24 tokens, 310.5/s; answer 64 tokens, 85.1/s; first token after 0.08 s; seed 123".
[[nodiscard]] std::string speeds_of(const TurnEnd& end);

}  // namespace jarip

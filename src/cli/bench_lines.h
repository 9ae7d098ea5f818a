// `jarip bench --from-stdin`: measures what another program asks for, a line at a time, so that two
// programs can be measured in turns. Used by the command's own thread.
#pragma once

#include "base/result.h"
#include "model/model.h"

namespace jarip {

// Reads items as parse_bench_item() takes them until standard input ends. Answers each with one
// line of JSON on standard output: {"seconds": 0.25}, or {"error": "why"}. A first line, {"ready":
// true}, says that the model is loaded. Error: kIo.
[[nodiscard]] Result<void> run_bench_lines(Model& model);

}  // namespace jarip

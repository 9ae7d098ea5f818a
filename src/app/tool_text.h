// Functions, calls and results as text, for models whose chat templates know none of them. Pure
// functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/turn.h"

namespace jarip {

// {"type": "function", "function": {"name": …, "description": …, "parameters": …}}
[[nodiscard]] std::string tool_json(const Tool& tool);

// The same conversation in words: the functions and how to call one stand in the first message, a
// system's where the template takes one and the first user's otherwise; calls stand in the
// assistant's messages as the model should write them (find_call_shape), results in a user's.
[[nodiscard]] std::vector<Message> write_out_tools(std::span<const Message> messages,
                                                   std::span<const Tool> tools, bool takes_system);

}  // namespace jarip

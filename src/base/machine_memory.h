// How much memory this process may count on: the machine's, or less where a control group says so.
// Free functions; any thread.
#pragma once

#include <cstdint>
#include <filesystem>

namespace jarip {

// Bytes; 0 if nothing can be learnt.
[[nodiscard]] std::uint64_t machine_memory();

// The least limit of the control groups that hold this process, of both versions; 0: none. system:
// where "proc" and "sys" lie.
[[nodiscard]] std::uint64_t control_group_memory(const std::filesystem::path& system = "/");

// What models may take when nobody says how much: four fifths, so that the rest of the machine and
// what grows while answering have room.
[[nodiscard]] std::uint64_t safe_model_memory();

}  // namespace jarip

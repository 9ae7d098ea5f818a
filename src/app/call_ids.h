// Names that tell calls apart. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace jarip {

// 24 letters and digits that follow from the key and the call's place in its answer.
[[nodiscard]] std::string call_id(std::uint64_t key, std::uint32_t index);

// Nine letters and digits for an id of whatever form: Mistral's templates take nothing else, and
// others take any.
[[nodiscard]] std::string short_call_id(std::string_view id);

}  // namespace jarip

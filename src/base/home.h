// The folder that holds what is the owner's: models, settings, history. A free function for any
// thread.
#pragma once

#include <filesystem>

#include "base/language.h"
#include "base/result.h"

namespace jarip {

// $JARIP_HOME, else ~/.local/share/jarip. The folder need not exist yet. Error: kInvalidArgument
// when neither JARIP_HOME nor HOME is set.
[[nodiscard]] Result<std::filesystem::path> home_folder(const Environment& environment);

}  // namespace jarip

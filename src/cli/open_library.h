// The owner's model library, found through the environment. For the commands' own thread.
#pragma once

#include "base/result.h"
#include "model/library.h"

namespace jarip {

// Below $JARIP_HOME, else below ~/.local/share/jarip. Error: kInvalidArgument when the environment
// names no folder.
[[nodiscard]] Result<ModelLibrary> open_library();

}  // namespace jarip

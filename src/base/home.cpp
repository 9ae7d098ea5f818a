#include "base/home.h"

namespace jarip {

Result<std::filesystem::path> home_folder(const Environment& environment) {
  if (const char* chosen = environment("JARIP_HOME"); chosen != nullptr && *chosen != '\0') {
    return chosen;
  }
  if (const char* user = environment("HOME"); user != nullptr && *user != '\0') {
    return std::filesystem::path(user) / ".local" / "share" / "jarip";
  }
  return fail(ErrorCode::kInvalidArgument,
              "neither JARIP_HOME nor HOME is set: set JARIP_HOME to a folder for models and "
              "settings",
              "JARIP_HOME");
}

}  // namespace jarip

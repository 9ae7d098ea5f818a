#include "cli/open_library.h"

#include <cstdlib>

#include "base/home.h"

namespace jarip {

Result<ModelLibrary> open_library() {
  JARIP_TRY(const auto home, home_folder([](const char* name) { return std::getenv(name); }));
  return ModelLibrary(home);
}

}  // namespace jarip

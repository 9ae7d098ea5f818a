#include "cli/version.h"

#include "cli/output.h"

namespace jarip {

Result<void> run_version() { return print("jarip " JARIP_VERSION "\n"); }

}  // namespace jarip

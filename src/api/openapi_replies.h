// Schemas of what the server replies, for /openapi.json. Tables.
#pragma once

#include "api/schema_set.h"

namespace jarip {

void describe_replies(SchemaSet& schemas);

}  // namespace jarip

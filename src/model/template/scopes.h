// Which names of which scope hide those of the context, as Jinja's compiler decides it.
#pragma once

#include "model/template/ast.h"

namespace jarip::jinja {

// Fills Scope::hidden throughout the program.
void find_hidden_names(Program& program);

}  // namespace jarip::jinja

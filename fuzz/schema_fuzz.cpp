// Any bytes as a JSON Schema.
#include <cstddef>
#include <cstdint>

#include "fuzz/grammar_run.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  jarip::run_grammar(jarip::GrammarKind::kJsonSchema, text);
  return 0;
}

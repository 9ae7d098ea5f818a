// Any bytes as a JSON Schema, of values and of members that are written one by one.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/grammar_run.h"
#include "grammar/schema_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  jarip::run_grammar(jarip::GrammarKind::kJsonSchema, text);
  const jarip::TaggedForm form{.before_key = jarip::exact_text("<"),
                               .before_text = jarip::exact_text(">\n"),
                               .before_json = jarip::exact_text(">"),
                               .space = "\n",
                               .closes = {jarip::exact_text("</>"), jarip::control_token(7)},
                               .rest = jarip::exact_text("\n")};
  for (const bool is_loose : {false, true}) {
    jarip::run_grammar(jarip::tagged_members(std::string(text), form, is_loose));
  }
  for (const auto& [name, types] : jarip::argument_types(text).types) {
    if (types > jarip::json_type::kAll) std::abort();
  }
  return 0;
}

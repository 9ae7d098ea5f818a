#include "grammar/free_text.h"

#include <vector>

namespace jarip {

Result<Fsm> free_text(std::span<const std::string> words, bool is_until, CompileWork& work) {
  GrammarBuilder regular(false);
  const ExprId byte = regular.bytes(ByteSet().set());
  const ExprId bytes = regular.repeat(byte, 0, kUnbounded);
  std::vector<ExprId> literals;
  for (const std::string& word : words) {
    if (!word.empty()) literals.push_back(regular.literal(word));
  }
  const ExprId first =
      regular.sequence({bytes, literals.empty() ? regular.nothing() : regular.choice(literals)});
  JARIP_TRY(const Fsm all, regular_language(regular, is_until ? first : bytes, work));
  JARIP_TRY(
      const Fsm past,
      regular_language(regular, regular.sequence({first, is_until ? byte : regular.empty(), bytes}),
                       work));
  JARIP_TRY(const Fsm language, subtract(all, past, work));
  return merge_states(language);
}

}  // namespace jarip

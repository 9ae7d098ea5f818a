// What a model's chat template shows about its answers: how it writes calls and reasoning. Values,
// made once a model.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/call_shape.h"
#include "model/chat_template.h"
#include "model/tokenizer.h"

namespace jarip {

struct AnswerShape {
  CallShape calls;
  std::optional<ReasoningShape> reasoning;
  bool is_harmony = false;   // messages with headers: HarmonySplitter
  bool takes_system = true;  // the template has a place for a system message

  // Control tokens that calls and reasoning are written with: in answers they count as text.
  struct Marker {
    TokenId id = 0;
    std::string name;
  };
  std::vector<Marker> markers;
  [[nodiscard]] bool is_marker(TokenId id) const;

  std::vector<std::string> words;  // of the template's source, sorted: its variables are among them
  [[nodiscard]] bool has_word(std::string_view word) const;
};

// Whatever could be a name in the source of a template; sorted, each once.
[[nodiscard]] std::vector<std::string> words_of(std::string_view source);

// source: the template's.
[[nodiscard]] AnswerShape find_answer_shape(const ChatTemplate& chat_template,
                                            std::string_view source, const Tokenizer& tokenizer);

}  // namespace jarip

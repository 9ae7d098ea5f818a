// What an answer's text is made of. Values.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace jarip {

struct ContentPart {
  std::string text;
};
struct ReasoningPart {
  std::string text;
};
struct CallPart {
  std::uint32_t index = 0;
  std::string name;  // in a call's first piece, and empty in the others
  std::string arguments;
};
using AnswerPart = std::variant<ContentPart, ReasoningPart, CallPart>;

}  // namespace jarip

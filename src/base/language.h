// The two languages that jarip speaks to people, and how the environment names one. Values only.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace jarip {

enum class Language : std::uint8_t { kEnglish, kKorean };

// One text for people, in both languages. The characters are literals and live for ever.
struct Words {
  std::string_view english;
  std::string_view korean;
  [[nodiscard]] std::string_view in(Language language) const {
    return language == Language::kKorean ? korean : english;
  }
};

// Looks a variable of the environment up; null when it isn't set. Passed in so that tests can
// replace it.
using Environment = std::function<const char*(const char* name)>;

// JARIP_LANG, then what POSIX says of messages: LC_ALL, LC_MESSAGES, LANG; the first that is set
// and not empty decides. "ko…" is Korean, anything else English.
[[nodiscard]] Language language_of(const Environment& environment);

}  // namespace jarip

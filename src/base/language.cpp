#include "base/language.h"

namespace jarip {

Language language_of(const Environment& environment) {
  for (const char* name : {"JARIP_LANG", "LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = environment(name);
    if (value == nullptr || *value == '\0') continue;
    return std::string_view(value).starts_with("ko") ? Language::kKorean : Language::kEnglish;
  }
  return Language::kEnglish;
}

}  // namespace jarip

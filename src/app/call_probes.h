// Conversations of words that no template has, rendered to see how a chat template writes calls.
// Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/chat_template.h"

namespace jarip::call_probe {

inline constexpr std::string_view kContent = "jaripcontentprobe";
inline constexpr std::array<std::string_view, 2> kNames = {"jaripfirstprobe", "jaripsecondprobe"};
// As Mistral's: 9 characters.
inline constexpr std::array<std::string_view, 2> kIds = {"jaripid01", "jaripid02"};
inline constexpr std::array<std::string_view, 2> kKeys = {"jaripkeyprobe", "jaripotherkeyprobe"};
inline constexpr std::array<std::string_view, 2> kValues = {"jaripvalueprobe",
                                                            "jaripothervalueprobe"};
inline constexpr std::int64_t kNumber = 918273645;  // a value that is no string
inline constexpr std::string_view kNumberText = "918273645";
inline constexpr std::string_view kEos = "<eos>";

inline constexpr std::string_view kSpace = " \n\r\t";
[[nodiscard]] std::string_view trim(std::string_view text);

// How a template wants calls.
struct Manner {
  bool arguments_as_text = false;
  bool null_content = false;
};

// An object of arguments, and the same as JSON.
struct Arguments {
  TemplateValue value;
  std::string json;
};
// The first so many keys with their values; or the first one with kNumber, or with a list of it.
[[nodiscard]] Arguments string_arguments(std::size_t n);
[[nodiscard]] Arguments number_argument();
[[nodiscard]] Arguments list_argument();
// The first one with a string that has to be written as XML's CDATA, where that is done.
inline constexpr std::string_view kCdata = "<![CDATA[<jarip>";
[[nodiscard]] Arguments mark_argument();

// What stands behind the words of the user where an assistant answers with text, or with calls of
// the first functions; nothing when the template refuses.
[[nodiscard]] std::optional<std::string> render_content(const ChatTemplate& chat_template);
[[nodiscard]] std::optional<std::string> render_calls(const ChatTemplate& chat_template,
                                                      std::size_t n_calls,
                                                      const Arguments& arguments,
                                                      const Manner& manner);

}  // namespace jarip::call_probe

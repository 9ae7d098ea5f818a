// Options, each declared once (law L7): the declaration gives the flag, the environment variable,
// the key of the settings file, the help and the docs. Built and read by one thread at the start.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/language.h"
#include "base/result.h"
#include "base/settings_file.h"

namespace jarip {

// Where an option may be set. What belongs to one call (a prompt, --json) is a flag only; what
// belongs to a machine or its owner (threads, a port) may also stand in the environment
// (JARIP_NAME) and in the settings file (name = value).
enum class Reach : std::uint8_t { kFlag, kEverywhere };

struct OptionLabel {
  std::string_view name;             // "top-k": --top-k, JARIP_TOP_K, top-k
  char letter = 0;                   // 'n': -n
  std::string_view value_name = {};  // "N", as the help writes it
  Words help = {};
  Reach reach = Reach::kEverywhere;
};

template <class T>
struct Range {
  T min;
  T max;
};

struct Option {
  std::string name;
  char letter = 0;
  std::string value_name;  // empty: a switch
  std::string allowed;     // "0 to 256", "optimized, reference"; empty: anything
  std::string initial;     // the default, as text; empty: none
  Words help;
  Reach reach = Reach::kEverywhere;
  bool positional = false;
  bool required = false;
  bool repeatable = false;
  // Takes the value in; false when it isn't one of those allowed.
  std::function<bool(std::string_view text)> take;
  std::string kind;  // "a whole number from 0 to 256": what errors ask for

  [[nodiscard]] std::string environment_name() const;  // "JARIP_TOP_K"
};

// Where values come from, the first that has one winning: arguments, environment, settings.
struct OptionSources {
  std::span<const std::string> arguments;
  Environment environment;
  const SettingsFile* settings = nullptr;
  std::string_view section;  // of the settings: the command's name
};

// The options of one command. The variable given to a declaration holds the default, receives the
// value, and must outlive the set.
class OptionSet {
 public:
  void add_switch(const OptionLabel& label, bool& value);
  void add_text(const OptionLabel& label, std::string& value);
  void add_text(const OptionLabel& label, std::optional<std::string>& value);
  void add_texts(const OptionLabel& label, std::vector<std::string>& values);  // may be repeated
  // "64K", "512M", "2G", or a number of bytes.
  void add_bytes(const OptionLabel& label, std::uint64_t& value, Range<std::uint64_t> range);

  template <std::integral T>
  void add_number(const OptionLabel& label, T& value, Range<T> range) {
    add_whole(label, std::to_string(value), range, [&value](T number) { value = number; });
  }
  template <std::integral T>
  void add_number(const OptionLabel& label, std::optional<T>& value, Range<T> range) {
    add_whole(label, {}, range, [&value](T number) { value = number; });
  }
  void add_number(const OptionLabel& label, float& value, Range<float> range);

  // One word for each value.
  template <class T>
  void add_choice(const OptionLabel& label, T& value,
                  std::vector<std::pair<std::string_view, T>> choices) {
    std::vector<std::string_view> words;
    std::string_view initial;
    for (const auto& [word, meaning] : choices) {
      words.push_back(word);
      if (meaning == value) initial = word;
    }
    add_word(label, initial, words,
             [&value, choices = std::move(choices)](std::size_t i) { value = choices[i].second; });
  }

  // Positional arguments, in the order of declaration; required ones first.
  void add_argument(std::string_view name, Words help, std::string& value);
  void add_argument(std::string_view name, Words help, std::optional<std::string>& value);

  // Errors: kInvalidArgument naming the option, what it was set to and what it may be; `where` is
  // the option's name.
  [[nodiscard]] Result<void> parse(const OptionSources& sources) const;

  [[nodiscard]] std::span<const Option> options() const { return options_; }
  [[nodiscard]] const Option* find(std::string_view name) const;

 private:
  Option& add(const OptionLabel& label);
  template <std::integral T, class Store>
  void add_whole(const OptionLabel& label, std::string initial, Range<T> range, Store store) {
    Option& option = add(label);
    option.initial = std::move(initial);
    option.allowed = std::to_string(range.min) + " to " + std::to_string(range.max);
    option.kind = "a whole number from " + option.allowed;
    option.take = [range, store](std::string_view text) {
      T number{};
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size()) return false;
      if (number < range.min || number > range.max) return false;
      store(number);
      return true;
    };
  }
  void add_word(const OptionLabel& label, std::string_view initial,
                const std::vector<std::string_view>& words, std::function<void(std::size_t)> store);

  std::vector<Option> options_;
};

// The word of `words` that a mistyped one most likely meant; empty when none is near.
[[nodiscard]] std::string_view nearest_word(std::string_view word,
                                            std::span<const std::string_view> words);

}  // namespace jarip

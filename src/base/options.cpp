#include "base/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <numeric>

namespace jarip {
namespace {

constexpr std::string_view kUnits = "KMGT";

std::string text_of_bytes(std::uint64_t bytes) {
  std::size_t n_shifts = 0;
  while (bytes != 0 && bytes % 1024 == 0 && n_shifts < kUnits.size()) {
    bytes /= 1024;
    ++n_shifts;
  }
  return std::to_string(bytes) + std::string(n_shifts == 0 ? "" : kUnits.substr(n_shifts - 1, 1));
}

std::optional<std::uint64_t> read_bytes(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.empty()) return number;
  const auto at = kUnits.find(static_cast<char>(std::toupper(static_cast<unsigned char>(unit[0]))));
  if (unit.size() > 1 || at == std::string_view::npos) return std::nullopt;
  const std::size_t shift = 10 * (at + 1);
  if (number > (UINT64_MAX >> shift)) return std::nullopt;
  return number << shift;
}

std::string flag_of(const Option& option) {
  return option.positional ? option.name : "--" + option.name;
}

// "--port is "x", but must be a whole number from 0 to 65535".
std::unexpected<Error> refuse(const Option& option, std::string_view source,
                              std::string_view text) {
  constexpr std::size_t kShown = 60;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is \"{}{}\", but must be {}", source, text.substr(0, kShown),
                          text.size() > kShown ? "…" : "", option.kind),
              option.name);
}

Result<void> take(const Option& option, std::string_view source, std::string_view text) {
  if (!option.take(text)) return refuse(option, source, text);
  return {};
}

// What the arguments say, by option; a switch says "true".
using Given = std::vector<std::vector<std::string>>;

std::string unknown_option(std::span<const Option> options, const std::string& word) {
  std::vector<std::string> flags;
  for (const Option& option : options) {
    if (!option.positional) flags.push_back(flag_of(option));
  }
  const std::vector<std::string_view> words(flags.begin(), flags.end());
  const std::string_view near = nearest_word(word.substr(0, word.find('=')), words);
  return near.empty() ? fmt::format("there is no option {}", word)
                      : fmt::format("there is no option {}; did you mean {}?", word, near);
}

void declare(CLI::App& app, const Option& option, std::vector<std::string>& given) {
  const std::string names =
      (option.letter == 0 ? "" : fmt::format("-{},", option.letter)) + flag_of(option);
  if (option.value_name.empty()) {
    app.add_flag_callback(names, [&given] { given.assign(1, "true"); });
  } else {
    app.add_option(names, given)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
}

// "-x" and "--x", but neither "-" (standard input) nor "-5" nor "- a list".
bool looks_like_option(std::string_view word) {
  return word.size() > 1 && word[0] == '-' &&
         (word[1] == '-' || std::isalpha(static_cast<unsigned char>(word[1])) != 0);
}

// Gives the words that belong to no flag to the positional options, in order.
Result<void> place(std::span<const Option> options, std::span<const std::string> words,
                   Given& given) {
  std::size_t next = 0;
  bool only_arguments = false;
  for (const std::string& word : words) {
    if (!only_arguments && word == "--") {
      only_arguments = true;
      continue;
    }
    if (!only_arguments && looks_like_option(word)) {
      return fail(ErrorCode::kInvalidArgument, unknown_option(options, word), word);
    }
    while (next < options.size() && !options[next].positional) ++next;
    if (next == options.size()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is one argument too many", word),
                  word);
    }
    given[next++].push_back(word);
  }
  return {};
}

// CLI11 only takes the arguments apart; what they mean is decided in one place for all sources.
Result<Given> split(std::span<const Option> options, std::span<const std::string> arguments) {
  Given given(options.size());
  try {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    for (std::size_t i = 0; i < options.size(); ++i) {
      if (!options[i].positional) declare(app, options[i], given[i]);
    }
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
    JARIP_CHECK(place(options, app.remaining(), given));
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string_view what = error.what();  // "--port: 1 required TEXT missing"
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} needs a value", what.substr(0, what.find(':'))));
  } catch (const CLI::Error& error) {
    return fail(ErrorCode::kInvalidArgument, error.what());
  }
  return given;
}

Result<void> take_given(const Option& option, const std::vector<std::string>& given) {
  if (given.size() > 1 && !option.repeatable) {
    return fail(ErrorCode::kInvalidArgument, flag_of(option) + " is given more than once",
                option.name);
  }
  for (const std::string& text : given) JARIP_CHECK(take(option, flag_of(option), text));
  return {};
}

}  // namespace

std::string Option::environment_name() const {
  std::string result = "JARIP_";
  for (const char c : name) {
    result += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return result;
}

Option& OptionSet::add(const OptionLabel& label) {
  Option& option = options_.emplace_back();
  option.name = label.name;
  option.letter = label.letter;
  option.value_name = label.value_name;
  option.help = label.help;
  option.reach = label.reach;
  return option;
}

void OptionSet::add_switch(const OptionLabel& label, bool& value) {
  Option& option = add(label);
  option.allowed = "true, false";
  option.kind = "true or false";
  option.initial = value ? "true" : "false";
  option.take = [&value](std::string_view text) {
    if (text != "true" && text != "false") return false;
    value = text == "true";
    return true;
  };
}

void OptionSet::add_text(const OptionLabel& label, std::string& value) {
  Option& option = add(label);
  option.initial = value;
  option.take = [&value](std::string_view text) {
    value = text;
    return true;
  };
}

void OptionSet::add_text(const OptionLabel& label, std::optional<std::string>& value) {
  add(label).take = [&value](std::string_view text) {
    value = text;
    return true;
  };
}

void OptionSet::add_texts(const OptionLabel& label, std::vector<std::string>& values) {
  Option& option = add(label);
  option.repeatable = true;
  option.kind = "a text that isn't empty";
  option.take = [&values](std::string_view text) {
    if (!text.empty()) values.emplace_back(text);
    return !text.empty();
  };
}

void OptionSet::add_bytes(const OptionLabel& label, std::uint64_t& value,
                          Range<std::uint64_t> range) {
  Option& option = add(label);
  option.initial = text_of_bytes(value);
  option.allowed = text_of_bytes(range.min) + " to " + text_of_bytes(range.max);
  option.kind = "a number of bytes from " + option.allowed;
  option.take = [&value, range](std::string_view text) {
    const auto bytes = read_bytes(text);
    if (!bytes || *bytes < range.min || *bytes > range.max) return false;
    value = *bytes;
    return true;
  };
}

void OptionSet::add_number(const OptionLabel& label, float& value, Range<float> range) {
  Option& option = add(label);
  option.initial = fmt::format("{}", value);
  option.allowed = fmt::format("{} to {}", range.min, range.max);
  option.kind = "a number from " + option.allowed;
  option.take = [&value, range](std::string_view text) {
    float number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    if (!(number >= range.min && number <= range.max)) return false;  // and so not NaN
    value = number;
    return true;
  };
}

void OptionSet::add_word(const OptionLabel& label, std::string_view initial,
                         const std::vector<std::string_view>& words,
                         std::function<void(std::size_t)> store) {
  Option& option = add(label);
  option.initial = initial;
  option.allowed = fmt::format("{}", fmt::join(words, ", "));
  option.kind = "one of " + option.allowed;
  option.take = [words, store = std::move(store)](std::string_view text) {
    const auto found = std::ranges::find(words, text);
    if (found == words.end()) return false;
    store(static_cast<std::size_t>(found - words.begin()));
    return true;
  };
}

void OptionSet::add_argument(std::string_view name, Words help, std::string& value) {
  add_text({.name = name, .value_name = name, .help = help, .reach = Reach::kFlag}, value);
  options_.back().positional = true;
  options_.back().required = true;
}

void OptionSet::add_argument(std::string_view name, Words help, std::optional<std::string>& value) {
  add_text({.name = name, .value_name = name, .help = help, .reach = Reach::kFlag}, value);
  options_.back().positional = true;
}

Result<void> OptionSet::parse(const OptionSources& sources) const {
  JARIP_TRY(const Given given, split(options_, sources.arguments));
  for (std::size_t i = 0; i < options_.size(); ++i) {
    const Option& option = options_[i];
    if (!given[i].empty()) {
      JARIP_CHECK(take_given(option, given[i]));
      continue;
    }
    if (option.required) {
      return fail(ErrorCode::kInvalidArgument, option.name + " is missing", option.name);
    }
    if (option.reach == Reach::kFlag) continue;
    const std::string variable = option.environment_name();
    const char* text = sources.environment(variable.c_str());
    if (text != nullptr && *text != '\0') {
      JARIP_CHECK(take(option, variable, text));
      continue;
    }
    if (sources.settings == nullptr) continue;
    if (const Setting* setting = sources.settings->find(sources.section, option.name)) {
      JARIP_CHECK(take(
          option,
          fmt::format("{} on line {} of {}", option.name, setting->line, sources.settings->name()),
          setting->value));
    }
  }
  return {};
}

const Option* OptionSet::find(std::string_view name) const {
  const auto found = std::ranges::find(options_, name, &Option::name);
  return found == options_.end() ? nullptr : &*found;
}

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> words) {
  constexpr std::size_t kLongest = 40;  // bounds the work on input
  std::string_view best;
  std::size_t best_distance = 3;  // two slips at most
  if (word.size() > kLongest) return best;
  for (const std::string_view candidate : words) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i + 1);
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t replaced = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
      }
    }
    if (row.back() < best_distance && row.back() < candidate.size()) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace jarip

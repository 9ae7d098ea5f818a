// The program: finds the command, reads its options, runs it, and turns what it returns into a line
// and an exit code.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/home.h"
#include "base/language.h"
#include "base/log.h"
#include "base/settings_file.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/output.h"
#include "cli/version.h"

namespace jarip {
namespace {

using Arguments = std::vector<std::string>;

const char* environment(const char* name) { return std::getenv(name); }

// The options of every command may stand anywhere before "--".
Arguments take_globals(Arguments& arguments, const OptionSet& globals) {
  Arguments taken;
  Arguments rest;
  bool only_arguments = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    only_arguments = only_arguments || word == "--";
    const std::size_t equals = word.find('=');
    const bool is_global = !only_arguments && word.starts_with("--") &&
                           globals.find(word.substr(2, equals - 2)) != nullptr;
    Arguments& where = is_global ? taken : rest;
    where.push_back(word);
    if (is_global && equals == std::string::npos && i + 1 < arguments.size()) {
      taken.push_back(arguments[++i]);
    }
  }
  arguments = std::move(rest);
  return taken;
}

bool asks_for_help(const Arguments& arguments) {
  const auto end = std::ranges::find(arguments, "--");
  return std::any_of(arguments.begin(), end,
                     [](const std::string& word) { return word == "-h" || word == "--help"; });
}

Language spoken(const GlobalOptions& options) {
  switch (options.language) {
    case LanguageChoice::kEnglish:
      return Language::kEnglish;
    case LanguageChoice::kKorean:
      return Language::kKorean;
    case LanguageChoice::kAuto:
      break;
  }
  return language_of(environment);
}

Result<Command*> find_command(std::vector<Command>& commands, const std::string& name) {
  const auto found = std::ranges::find(commands, name, &Command::name);
  if (found != commands.end()) return &*found;
  std::vector<std::string_view> names;
  for (const Command& command : commands) {
    if (!command.hidden) names.push_back(command.name);
  }
  const std::string_view near = nearest_word(name, names);
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("there is no command \"{}\"{}; see jarip --help", name,
                          near.empty() ? "" : fmt::format("; did you mean {}?", near)),
              name);
}

Result<SettingsFile> read_settings(const std::vector<Command>& commands, const OptionSet& globals) {
  // Without a home there is no file, and commands that need neither still work.
  const auto home = home_folder(environment);
  if (!home) return SettingsFile();
  JARIP_TRY(SettingsFile settings, SettingsFile::read(*home / "config.toml"));
  JARIP_CHECK(check_settings(settings, commands, globals));
  return settings;
}

void apply(const GlobalOptions& options, Language language, CommandOptions& all) {
  set_log_level(options.log);
  all.chat.language = language;
  all.remove.language = language;
}

// The hidden command that writes docs/options.md.
Command declare_docs(std::string& topic, std::string& page) {
  Command command{.name = "docs",
                  .summary = {"Print a page of the documentation.", "문서를 출력한다."},
                  .hidden = true,
                  .run = [&topic, &page]() -> Result<void> {
                    if (topic == "options") return print(page);
                    return fail(ErrorCode::kInvalidArgument,
                                fmt::format("there is no page \"{}\", only \"options\"", topic));
                  }};
  command.options.add_argument("PAGE", {"options", "options"}, topic);
  return command;
}

// What arguments are read against.
struct Context {
  std::vector<Command>& commands;
  const OptionSet& globals;
  const SettingsFile& settings;
  Language language;
};

Result<void> run_command(const Command& command, const Arguments& arguments,
                         const SettingsFile& settings) {
  auto parsed = command.options.parse({.arguments = arguments,
                                       .environment = environment,
                                       .settings = &settings,
                                       .section = command.name});
  if (!parsed) {
    parsed.error().message += fmt::format("; see jarip {} --help", command.name);
    return parsed;
  }
  return command.run();
}

// "keys", "list" to "keys list": the name of a group's command is two words.
std::string join_name(std::string name, Arguments& arguments,
                      const std::vector<Command>& commands) {
  if (arguments.empty() || arguments.front().starts_with('-')) return name;
  const bool is_group = std::ranges::any_of(
      commands, [&](const Command& command) { return command.name.starts_with(name + " "); });
  if (!is_group) return name;
  name += " " + arguments.front();
  arguments.erase(arguments.begin());
  return name;
}

Result<void> obey(Arguments arguments, const Context& context) {
  const auto& [commands, globals, settings, language] = context;
  const auto take_word = [&] {
    std::string word = arguments.empty() ? "help" : arguments.front();
    if (!arguments.empty()) arguments.erase(arguments.begin());
    return word;
  };
  std::string name = take_word();
  if (name == "--version") return run_version();
  const bool help = name == "-h" || name == "--help" || name == "help";
  if (help && arguments.empty()) return print(overview(commands, globals, language));
  if (help) name = take_word();
  if (name.starts_with('-')) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no option {}; see jarip --help", name));
  }
  name = join_name(std::move(name), arguments, commands);
  if (const std::string page = help_of_group(commands, name, language); !page.empty()) {
    return print(page);
  }
  JARIP_TRY(const Command* command, find_command(commands, name));
  if (help || asks_for_help(arguments)) return print(help_of(*command, globals, language));
  return run_command(*command, arguments, settings);
}

Result<void> run(Arguments arguments) {
  GlobalOptions global_options;
  const OptionSet globals = declare_globals(global_options);
  CommandOptions options;
  std::vector<Command> commands = declare_commands(options);
  std::string docs_topic;
  std::string docs_page;
  commands.push_back(declare_docs(docs_topic, docs_page));

  JARIP_TRY(const SettingsFile settings, read_settings(commands, globals));
  const Arguments global_arguments = take_globals(arguments, globals);
  JARIP_CHECK(globals.parse({.arguments = global_arguments,
                             .environment = environment,
                             .settings = &settings,
                             .section = {}}));
  const Language language = spoken(global_options);
  apply(global_options, language, options);
  docs_page = options_page(commands, globals, language);

  return obey(std::move(arguments), {commands, globals, settings, language});
}

int report(const Error& error) {
  if (error.code != ErrorCode::kCancelled) {
    fmt::print(stderr, "jarip: {}\n", printable(error.message));
  }
  return exit_code_of(error.code);
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  try {
    const auto done = jarip::run({argv + std::min(argc, 1), argv + argc});
    return done ? 0 : jarip::report(done.error());
  } catch (const std::bad_alloc&) {
    return jarip::report({jarip::ErrorCode::kUnavailable, "there isn't enough memory", {}});
  } catch (const std::exception& error) {
    return jarip::report({jarip::ErrorCode::kInternal, error.what(), {}});
  }
}

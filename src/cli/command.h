// A command of the program: its name, its options and what it does; and the pages written from
// that. Built by main() at the start.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/language.h"
#include "base/options.h"
#include "base/result.h"

namespace jarip {

struct Command {
  std::string_view name;  // "serve"; "keys create" is one of the group "keys"
  Words summary = {};
  Words more = {};  // examples and what else a person should know; lines as they stand
  bool hidden = false;
  OptionSet options = {};
  std::function<Result<void>()> run = {};
};

// `jarip --help`: the commands, the options of all of them, and the exit codes.
[[nodiscard]] std::string overview(std::span<const Command> commands, const OptionSet& globals,
                                   Language language);

// `jarip GROUP --help`: the commands of a group; empty when there is no such group.
[[nodiscard]] std::string help_of_group(std::span<const Command> commands, std::string_view group,
                                        Language language);

// `jarip NAME --help`.
[[nodiscard]] std::string help_of(const Command& command, const OptionSet& globals,
                                  Language language);

// docs/options.md.
[[nodiscard]] std::string options_page(std::span<const Command> commands, const OptionSet& globals,
                                       Language language);

// Refuses settings that no command knows, naming the line.
[[nodiscard]] Result<void> check_settings(const SettingsFile& settings,
                                          std::span<const Command> commands,
                                          const OptionSet& globals);

}  // namespace jarip

#include "cli/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/exit_codes.h"
#include "cli/text_width.h"

namespace jarip {
namespace {

constexpr std::size_t kLineWidth = 88;
constexpr std::size_t kIndent = 28;  // where the right column begins

constexpr Words kUsage = {"Usage:", "쓰는 법:"};
constexpr Words kArguments = {"Arguments:", "인자:"};
constexpr Words kOptions = {"Options:", "옵션:"};
constexpr Words kEverywhere = {"Options of every command:", "모든 명령의 옵션:"};
constexpr Words kCommands = {"Commands:", "명령:"};
constexpr Words kExitCodes = {"Exit codes:", "종료 코드:"};
constexpr Words kDefault = {"default", "기본값"};
constexpr Words kHelpOption = {"Print this help", "이 도움말을 보여 준다"};
constexpr Words kSources = {
    "Options may also be set by the environment variable in brackets, or in the settings file\n"
    "$JARIP_HOME/config.toml (by default ~/.local/share/jarip/config.toml). A flag wins over\n"
    "the environment, the environment over the file.",
    "옵션은 괄호 안의 환경 변수나 설정 파일 $JARIP_HOME/config.toml(기본 위치는\n"
    "~/.local/share/jarip/config.toml)로도 정할 수 있다. 명령줄이 환경 변수보다,\n"
    "환경 변수가 설정 파일보다 앞선다."};

void add_row(std::string& page, std::string_view left, std::string_view right) {
  page += "  ";
  page += left;
  std::size_t column = 2 + display_width(left);
  if (column + 2 > kIndent) {
    page += '\n';
    column = 0;
  }
  for (const std::string& line : wrap_text(right, kLineWidth - kIndent)) {
    page.append(kIndent - column, ' ').append(line) += '\n';
    column = 0;
  }
}

std::string flags_of(const Option& option) {
  std::string flags = option.letter == 0 ? "" : fmt::format("-{}, ", option.letter);
  flags += "--" + option.name;
  if (!option.value_name.empty()) flags += " " + option.value_name;
  return flags;
}

// "Cores to use (0 to 256; default 0) [JARIP_THREADS]".
std::string meaning_of(const Option& option, Language language) {
  std::string meaning(option.help.in(language));
  if (!option.value_name.empty()) {
    std::string facts = option.allowed;
    if (!option.initial.empty()) {
      if (!facts.empty()) facts += "; ";
      facts += fmt::format("{} {}", kDefault.in(language), option.initial);
    }
    if (!facts.empty()) meaning += fmt::format(" ({})", facts);
  }
  if (option.reach == Reach::kEverywhere) {
    meaning += fmt::format(" [{}]", option.environment_name());
  }
  return meaning;
}

void add_options(std::string& page, std::string_view title, const OptionSet& set, Language language,
                 bool positional) {
  const auto shown = [&](const Option& option) { return option.positional == positional; };
  if (std::ranges::none_of(set.options(), shown)) return;
  page += fmt::format("\n{}\n", title);
  for (const Option& option : set.options()) {
    if (!shown(option)) continue;
    add_row(page, positional ? option.name : flags_of(option), meaning_of(option, language));
  }
}

std::string usage_of(const Command& command, Language language) {
  std::string usage = fmt::format("{} jarip {}", kUsage.in(language), command.name);
  const auto options = command.options.options();
  if (!std::ranges::all_of(options, &Option::positional)) {
    usage += language == Language::kKorean ? " [옵션]" : " [OPTIONS]";
  }
  for (const Option& option : options) {
    if (option.positional) {
      usage += fmt::format(fmt::runtime(option.required ? " {}" : " [{}]"), option.name);
    }
  }
  return usage + "\n";
}

std::string in_table(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

std::string code(std::string_view text) {
  return text.empty() ? std::string() : fmt::format("`{}`", text);
}

void add_table(std::string& page, const OptionSet& set, Language language) {
  page += language == Language::kKorean
              ? "\n| 옵션 | 환경 변수 | 설정 파일 | 값 | 기본값 | 뜻 |\n|---|---|---|---|---|---|\n"
              : "\n| option | environment | settings file | values | default | meaning |\n"
                "|---|---|---|---|---|---|\n";
  for (const Option& option : set.options()) {
    const bool everywhere = option.reach == Reach::kEverywhere;
    page += fmt::format(
        "| `{}` | {} | {} | {} | {} | {} |\n", option.positional ? option.name : flags_of(option),
        code(everywhere ? option.environment_name() : ""), code(everywhere ? option.name : ""),
        in_table(option.allowed), code(option.initial), in_table(option.help.in(language)));
  }
}

}  // namespace

std::string overview(std::span<const Command> commands, const OptionSet& globals,
                     Language language) {
  std::string page =
      fmt::format("{} jarip COMMAND …\n\n{}\n", kUsage.in(language), kCommands.in(language));
  for (const Command& command : commands) {
    if (!command.hidden) add_row(page, command.name, command.summary.in(language));
  }
  add_options(page, kEverywhere.in(language), globals, language, false);
  add_row(page, "-h, --help", kHelpOption.in(language));
  page += fmt::format("\n{}\n", kExitCodes.in(language));
  for (const ExitCode& row : exit_codes()) {
    add_row(page, std::to_string(row.code), row.meaning.in(language));
  }
  page += fmt::format("\n{}\n", kSources.in(language));
  return page;
}

std::string help_of_group(std::span<const Command> commands, std::string_view group,
                          Language language) {
  std::string page;
  for (const Command& command : commands) {
    if (!command.name.starts_with(group) || !command.name.substr(group.size()).starts_with(' ')) {
      continue;
    }
    if (page.empty()) {
      page = fmt::format("{} jarip {} COMMAND …\n\n{}\n", kUsage.in(language), group,
                         kCommands.in(language));
    }
    add_row(page, command.name, command.summary.in(language));
  }
  return page;
}

std::string help_of(const Command& command, const OptionSet& globals, Language language) {
  std::string page = usage_of(command, language);
  page += fmt::format("\n{}\n", command.summary.in(language));
  if (const std::string_view more = command.more.in(language); !more.empty()) {
    page += fmt::format("\n{}\n", more);
  }
  add_options(page, kArguments.in(language), command.options, language, true);
  add_options(page, kOptions.in(language), command.options, language, false);
  add_options(page, kEverywhere.in(language), globals, language, false);
  add_row(page, "-h, --help", kHelpOption.in(language));
  return page;
}

std::string options_page(std::span<const Command> commands, const OptionSet& globals,
                         Language language) {
  const bool korean = language == Language::kKorean;
  std::string page = korean ? "# 옵션\n\n" : "# Options\n\n";
  page += korean ? "`jarip docs options --lang ko`가 이 문서를 쓴다. 고칠 곳은 옵션의 선언이다.\n\n"
                 : "Written by `jarip docs options`; what is to be changed is an option's "
                   "declaration.\n\n";
  page += fmt::format("{}\n", kSources.in(language));
  page +=
      korean ? "설정 파일에서 `[명령]` 아래에 둔 것은 그 명령에만, 맨 위에 둔 것은 그 옵션을 아는\n"
               "모든 명령에 쓰인다.\n"
             : "In the settings file what stands under `[command]` is that command's alone; what "
               "stands\nabove every section goes to each command that knows the option.\n";
  page += korean ? "\n```toml\nthreads = 4\n\n[serve]\nport = 8484\n```\n"
                 : "\n```toml\nthreads = 4\n\n[serve]\nport = 8484\n```\n";
  page += korean ? "\n## 모든 명령\n" : "\n## Every command\n";
  add_table(page, globals, language);
  for (const Command& command : commands) {
    if (command.hidden) continue;
    page += fmt::format("\n## jarip {}\n\n{}\n", command.name, command.summary.in(language));
    if (!command.options.options().empty()) add_table(page, command.options, language);
  }
  return page;
}

Result<void> check_settings(const SettingsFile& settings, std::span<const Command> commands,
                            const OptionSet& globals) {
  const auto knows = [](const OptionSet& set, std::string_view key) {
    const Option* option = set.find(key);
    return option != nullptr && option->reach == Reach::kEverywhere;
  };
  for (const Setting& setting : settings.settings()) {
    const bool known = (setting.section.empty() && knows(globals, setting.key)) ||
                       std::ranges::any_of(commands, [&](const Command& command) {
                         return (setting.section.empty() || setting.section == command.name) &&
                                knows(command.options, setting.key);
                       });
    if (known) continue;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("line {} of {} sets {}{}, which no command knows", setting.line,
                            settings.name(), setting.key,
                            setting.section.empty() ? "" : " in [" + setting.section + "]"),
                setting.key);
  }
  return {};
}

}  // namespace jarip

#include "base/settings_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

namespace jarip {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool is_bare(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("_-.+", c) != nullptr;
  });
}

// Takes a quoted string off the front of `rest`; false when its quotes or an escape are wrong.
bool take_quoted(std::string_view& rest, std::string& value) {
  const char quote = rest.front();
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == quote) {
      rest.remove_prefix(i + 1);
      return true;
    }
    if (quote == '"' && rest[i] == '\\') {
      if (++i == rest.size()) return false;
      const std::string_view escapes = "\"\"\\\\n\nt\t";
      std::size_t at = 0;
      while (at < escapes.size() && escapes[at] != rest[i]) at += 2;
      if (at == escapes.size()) return false;
      value += escapes[at + 1];
    } else {
      value += rest[i];
    }
  }
  return false;
}

// The value of a setting, its comment left out; an error text, or empty.
std::string_view take_value(std::string_view text, std::string& value) {
  if (text.empty() || text.front() == '#') return "has no value";
  if (text.front() == '"' || text.front() == '\'') {
    if (!take_quoted(text, value)) return "has a string that isn't closed or escaped as it should";
    text = trim(text);
    return text.empty() || text.front() == '#' ? "" : "has something after its string";
  }
  const std::string_view bare = trim(text.substr(0, text.find('#')));
  if (!is_bare(bare)) return "has a value that needs quotes";
  value = bare;
  return {};
}

// "[serve]  # comment": an error text, or empty.
std::string_view open_section(std::string_view line, std::string& section) {
  const auto close = line.find(']');
  if (close == std::string_view::npos) return "opens a section and doesn't close it";
  const std::string_view after = trim(line.substr(close + 1));
  section = trim(line.substr(1, close - 1));
  return is_bare(section) && (after.empty() || after.front() == '#') ? "" : "isn't a [section]";
}

}  // namespace

Result<SettingsFile> SettingsFile::read(const std::filesystem::path& path) {
  std::error_code missing;
  if (!std::filesystem::exists(path, missing) && !missing) return SettingsFile();
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.eof() && file.fail()) {
    return fail(ErrorCode::kIo, fmt::format("can't read {}: {}", path.string(),
                                            std::strerror(missing ? missing.value() : errno)));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxBytes) {
    return fail(
        ErrorCode::kTooLarge,
        fmt::format("{} is over {} bytes; it can't be a settings file", path.string(), kMaxBytes));
  }
  return parse(text, path.string());
}

Result<SettingsFile> SettingsFile::parse(std::string_view text, std::string name) {
  SettingsFile file;
  file.name_ = std::move(name);
  std::string section;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string wrong = file.add_line(trim(text.substr(0, end)), number, section);
    if (!wrong.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("line {} of {} {}", number, file.name_, wrong));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return file;
}

std::string SettingsFile::add_line(std::string_view line, std::size_t number,
                                   std::string& section) {
  if (line.empty() || line.front() == '#') return {};
  if (line.front() == '[') return std::string(open_section(line, section));
  const auto equals = line.find('=');
  Setting setting{.section = section,
                  .key = std::string(trim(line.substr(0, equals))),
                  .value = {},
                  .line = number};
  if (equals == std::string_view::npos || !is_bare(setting.key)) {
    return "is neither a [section], a `key = value` nor a # comment";
  }
  if (settings_.size() == kMaxSettings) return fmt::format("is past {} settings", kMaxSettings);
  for (const Setting& other : settings_) {
    if (other.section == setting.section && other.key == setting.key) {
      return fmt::format("sets {} again; line {} already does", setting.key, other.line);
    }
  }
  std::string wrong(take_value(trim(line.substr(equals + 1)), setting.value));
  if (wrong.empty()) settings_.push_back(std::move(setting));
  return wrong;
}

const Setting* SettingsFile::find(std::string_view section, std::string_view key) const {
  const Setting* outside = nullptr;
  for (const Setting& setting : settings_) {
    if (setting.key != key) continue;
    if (setting.section == section) return &setting;
    if (setting.section.empty()) outside = &setting;
  }
  return outside;
}

}  // namespace jarip

// The owner's settings file ($JARIP_HOME/config.toml): sections and `key = value` lines, the part
// of TOML that options need. Immutable after parse().
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jarip {

struct Setting {
  std::string section;  // "" before the first [section]
  std::string key;
  std::string value;  // without its quotes
  std::size_t line = 0;
};

class SettingsFile {
 public:
  static constexpr std::size_t kMaxBytes = 1U << 20U;
  static constexpr std::size_t kMaxSettings = 1000;

  SettingsFile() = default;

  // A file that isn't there is an empty one. Errors: kIo, kTooLarge, and those of parse().
  [[nodiscard]] static Result<SettingsFile> read(const std::filesystem::path& path);

  // name: how errors call the file. A value is a bare word or number, or a string in double quotes
  // with the escapes \" \\ \n \t, or in single quotes without any. Errors: kInvalidArgument naming
  // the line: neither a section, a setting nor a comment, an unclosed quote, a key set twice.
  [[nodiscard]] static Result<SettingsFile> parse(std::string_view text, std::string name);

  // The setting of a section, else the one outside every section, else null.
  [[nodiscard]] const Setting* find(std::string_view section, std::string_view key) const;
  [[nodiscard]] std::span<const Setting> settings() const { return settings_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  // What is wrong with a line, or empty once it is taken in. section: the one open, kept up.
  std::string add_line(std::string_view line, std::size_t number, std::string& section);

  std::string name_;
  std::vector<Setting> settings_;  // in file order
};

}  // namespace jarip

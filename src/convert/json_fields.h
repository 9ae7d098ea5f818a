// An object of a JSON file out of a model's folder, read strictly: a field is what it must be or an
// error that names the file and the field. Fields borrow the file that they are of; any thread.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace jarip {

class JsonFields {
 public:
  // where: "config.json", or "config.json: rope_scaling".
  JsonFields(const boost::json::object& object, std::string where)
      : object_(&object), where_(std::move(where)) {}

  [[nodiscard]] const boost::json::object& object() const { return *object_; }
  // Null where the field is absent or null.
  [[nodiscard]] const boost::json::value* find(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }

  // Absent or null: none. Errors: kCorrupt (another type, or out of range).
  [[nodiscard]] Result<std::optional<std::uint64_t>> count(std::string_view key) const;
  [[nodiscard]] Result<std::optional<double>> number(std::string_view key) const;
  [[nodiscard]] Result<std::optional<bool>> flag(std::string_view key) const;
  [[nodiscard]] Result<std::optional<std::string_view>> text(std::string_view key) const;
  [[nodiscard]] Result<std::optional<JsonFields>> fields(std::string_view key) const;
  [[nodiscard]] Result<std::vector<double>> numbers(std::string_view key) const;  // absent: empty

  // kUnsupported and kCorrupt errors about a field.
  [[nodiscard]] std::unexpected<Error> refuse(std::string_view key, std::string_view what) const;
  [[nodiscard]] std::unexpected<Error> corrupt(std::string_view key, std::string_view what) const;
  // A field's value as people read it, cut short.
  [[nodiscard]] std::string shown(std::string_view key) const;

 private:
  const boost::json::object* object_;
  std::string where_;
};

// A JSON file whose root is an object.
class JsonFile {
 public:
  static constexpr std::uint64_t kMaxBytes = 1U << 28U;
  static constexpr std::size_t kMaxDepth = 64;

  // Errors: kNotFound, kIo, kTooLarge, kCorrupt.
  [[nodiscard]] static Result<JsonFile> open(const std::filesystem::path& path);
  // name: for errors.
  [[nodiscard]] static Result<JsonFile> parse(std::string_view text, std::string name);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const boost::json::value& value() const { return value_; }
  // Error: kCorrupt (no object).
  [[nodiscard]] Result<JsonFields> fields() const;

 private:
  std::string name_;
  boost::json::value value_;
};

}  // namespace jarip

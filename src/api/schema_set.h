// JSON schemas made of field tables, each under a name that others refer to. Built once, for
// /openapi.json.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/field_table.h"

namespace jarip {

// One field's schema, as JSON.
[[nodiscard]] std::string schema_of(const FieldRule& rule);

class SchemaSet {
 public:
  // An object with the fields of these tables and no others; of two rows of one name the first
  // counts, as when reading.
  template <class Target>
  void add_object(std::string_view name, std::initializer_list<FieldTable<Target>> tables,
                  std::string_view about = {}) {
    std::vector<FieldRule> rules;
    for (const FieldTable<Target> table : tables) {
      for (const Field<Target>& field : table) rules.push_back(field.rule);
    }
    add_object(name, rules, about);
  }
  // A schema written out.
  void add(std::string_view name, std::string_view schema);

  // {"Name":{…},…}
  [[nodiscard]] std::string json() const { return "{" + members_ + "}"; }

 private:
  void add_object(std::string_view name, std::span<const FieldRule> rules, std::string_view about);

  std::string members_;
};

}  // namespace jarip

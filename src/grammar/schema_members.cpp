#include "grammar/schema_members.h"

#include <algorithm>
#include <set>

#include "grammar/characters.h"
#include "grammar/schema_strings.h"

namespace jarip {

Result<Fsm> names_matching(const SchemaText& pattern, CompileWork& work) {
  Shape shape;
  shape.patterns = {pattern};
  shape.path = pattern.path;
  return string_language(shape, work);
}

Result<Conjunction> member_schemas(const Shape& shape, std::string_view name, CompileWork& work) {
  Conjunction all;
  for (const ObjectPart& part : shape.objects) {
    bool is_named = false;
    work.spend(1 + part.properties.size());
    for (const auto& [property, schema] : part.properties) {
      if (property != name) continue;
      is_named = true;
      all.push_back(schema);
    }
    for (const auto& [pattern, schema] : part.patterns) {
      JARIP_TRY(const Fsm names, names_matching(pattern, work));
      if (!matches(names, escape_json(name))) continue;
      is_named = true;
      all.push_back(schema);
    }
    if (!is_named && part.additional) all.push_back(*part.additional);
  }
  return all;
}

std::vector<std::string> declared_names(const Shape& shape) {
  std::vector<std::string> names;
  std::set<std::string_view> known;
  const auto add = [&](const std::string& name) {
    if (known.insert(name).second) names.push_back(name);
  };
  for (const ObjectPart& part : shape.objects) {
    for (const auto& [name, schema] : part.properties) add(name);
  }
  for (const std::string& name : shape.required) add(name);
  return names;
}

bool writes_more_members(const Shape& shape) {
  const auto is_false = [](const SchemaRef& schema) {
    const bool* const allowed = schema.node->if_bool();
    return allowed != nullptr && !*allowed;
  };
  return shape.objects.empty()
             ? shape.required.empty() || shape.min_members > shape.required.size()
             : std::ranges::any_of(shape.objects, [&](const ObjectPart& part) {
                 return !part.patterns.empty() || (part.additional && !is_false(*part.additional));
               });
}

}  // namespace jarip

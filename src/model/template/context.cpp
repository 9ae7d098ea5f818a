#include "model/template/context.h"

#include <algorithm>

#include "model/template/builtins.h"

namespace jarip::jinja {
namespace {

Result<Value> convert(Budget& budget, const TemplateValue& value, bool trusted,
                      std::uint32_t depth) {
  JARIP_CHECK(budget.check_depth(depth));
  JARIP_CHECK(budget.charge(1));
  trusted = trusted || value.trusted;
  const bool from_input = !trusted;
  switch (value.kind) {
    case TemplateValue::Kind::kUndefined:
      return Value();
    case TemplateValue::Kind::kNull:
      return Value(None{}, from_input);
    case TemplateValue::Kind::kBool:
      return Value(Value::Content(value.boolean), from_input);
    case TemplateValue::Kind::kInt:
      return Value::from(value.integer, from_input);
    case TemplateValue::Kind::kFloat:
      return Value::from(value.number, from_input);
    case TemplateValue::Kind::kString:
      JARIP_CHECK(budget.charge_growth(0, value.string.size()));
      return Value::from(Text(value.string, from_input));
    case TemplateValue::Kind::kList: {
      std::vector<Value> items;
      items.reserve(value.list.size());
      for (const TemplateValue& item : value.list) {
        JARIP_TRY(Value converted, convert(budget, item, trusted, depth + 1));
        items.push_back(std::move(converted));
      }
      return make_list(budget, std::move(items), from_input);
    }
    case TemplateValue::Kind::kObject: {
      Dict dict;
      for (const auto& [key, field] : value.object) {
        JARIP_TRY(Value converted, convert(budget, field, trusted, depth + 1));
        JARIP_CHECK(budget.charge_growth(0, key.size()));
        dict.set(Value::from(Text(key, from_input)), std::move(converted));
      }
      return make_dict(budget, std::move(dict), from_input);
    }
  }
  return Value();
}

}  // namespace

Context::Context(const Program& program, const TemplateValue& variables,
                 const std::vector<std::string>& trusted_names)
    : program_(program), trusted_names_(trusted_names), found_(program.names.size()) {
  for (const auto& [name, value] : variables.object) variables_[name] = &value;
}

Result<const Value*> Context::find(Budget& budget, NameId name) {
  std::optional<Value>& found = found_[name];
  if (found) return &*found;
  const std::string& text = program_.names[name];
  if (const auto variable = variables_.find(text); variable != variables_.end()) {
    const bool trusted = std::ranges::find(trusted_names_, text) != trusted_names_.end();
    JARIP_TRY(found, convert(budget, *variable->second, trusted, 0));
  } else {
    found = find_global(text);
  }
  return found ? &*found : nullptr;
}

}  // namespace jarip::jinja

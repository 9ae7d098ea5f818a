// The variables that a rendering is given, converted when a template first reads them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "model/chat_template.h"
#include "model/template/ast.h"
#include "model/template/value.h"

namespace jarip::jinja {

class Context {
 public:
  // All borrowed. variables: an object.
  Context(const Program& program, const TemplateValue& variables,
          const std::vector<std::string>& trusted_names);

  // A variable, or else a global function of this name. Null if there is neither.
  [[nodiscard]] Result<const Value*> find(Budget& budget, NameId name);

 private:
  const Program& program_;
  const std::vector<std::string>& trusted_names_;
  std::unordered_map<std::string_view, const TemplateValue*> variables_;
  std::vector<std::optional<Value>> found_;  // by name
};

}  // namespace jarip::jinja

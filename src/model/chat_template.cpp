#include "model/chat_template.h"

#include <algorithm>

#include "model/template/ast.h"
#include "model/template/interpreter.h"
#include "model/template/parser.h"

namespace jarip {

TemplateValue TemplateValue::null() {
  TemplateValue out;
  out.kind = Kind::kNull;
  return out;
}

TemplateValue TemplateValue::from(bool value) {
  TemplateValue out;
  out.kind = Kind::kBool;
  out.boolean = value;
  return out;
}

TemplateValue TemplateValue::from(std::int64_t value) {
  TemplateValue out;
  out.kind = Kind::kInt;
  out.integer = value;
  return out;
}

TemplateValue TemplateValue::from(double value) {
  TemplateValue out;
  out.kind = Kind::kFloat;
  out.number = value;
  return out;
}

TemplateValue TemplateValue::from(std::string_view value) {
  TemplateValue out;
  out.kind = Kind::kString;
  out.string = value;
  return out;
}

TemplateValue TemplateValue::make_list(std::vector<TemplateValue> items) {
  TemplateValue out;
  out.kind = Kind::kList;
  out.list = std::move(items);
  return out;
}

TemplateValue TemplateValue::make_object(
    std::vector<std::pair<std::string, TemplateValue>> fields) {
  TemplateValue out;
  out.kind = Kind::kObject;
  out.object = std::move(fields);
  return out;
}

struct ChatTemplate::State {
  jinja::Program program;
  TemplateLimits limits;
};

ChatTemplate::ChatTemplate(std::unique_ptr<const State> state) : state_(std::move(state)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

Result<ChatTemplate> ChatTemplate::compile(std::string_view source, const TemplateLimits& limits) {
  JARIP_TRY(jinja::Program program, jinja::parse(source, limits));
  return ChatTemplate(std::make_unique<const State>(State{std::move(program), limits}));
}

Result<std::vector<RenderedSegment>> ChatTemplate::render(
    const TemplateValue& context, const std::vector<std::string>& trusted_names,
    std::time_t now) const {
  JARIP_TRY(const jinja::Text text,
            jinja::run_program(state_->program, state_->limits, context, trusted_names, now));
  std::vector<RenderedSegment> segments;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.run_end(begin);
    segments.push_back(
        {std::string(text.view().substr(begin, end - begin)), text.from_input(begin)});
    begin = end;
  }
  return segments;
}

}  // namespace jarip

// Makes a Text piece by piece within the budget of a rendering.
#pragma once

#include <string_view>
#include <utility>

#include "base/result.h"
#include "model/template/budget.h"
#include "model/template/text.h"
#include "model/template/value.h"

namespace jarip::jinja {

class TextBuilder {
 public:
  explicit TextBuilder(Budget& budget) : budget_(&budget) {}

  [[nodiscard]] Result<void> add(std::string_view bytes, bool from_input) {
    JARIP_CHECK(budget_->charge_growth(text_.size(), bytes.size()));
    text_.append(bytes, from_input);
    return {};
  }
  [[nodiscard]] Result<void> add(const Text& text, std::size_t begin, std::size_t n) {
    JARIP_CHECK(budget_->charge_growth(text_.size(), n));
    text_.append(text, begin, n);
    return {};
  }
  [[nodiscard]] Result<void> add(const Text& text) { return add(text, 0, text.size()); }
  // So many copies of a character, say.
  [[nodiscard]] Result<void> add_repeated(const Text& text, std::uint64_t count) {
    if (count != 0 && text.size() > SIZE_MAX / count) return too_large("a text grows too long");
    JARIP_CHECK(budget_->charge_growth(text_.size(), text.size() * count));
    if (text.empty()) return {};
    for (; count > 0; --count) text_.append(text);
    return {};
  }

  [[nodiscard]] Budget& budget() { return *budget_; }
  [[nodiscard]] const Text& text() const { return text_; }
  [[nodiscard]] Text take() { return std::exchange(text_, Text()); }
  [[nodiscard]] Value take_value() { return Value::from(take()); }

 private:
  Budget* budget_;
  Text text_;
};

}  // namespace jarip::jinja

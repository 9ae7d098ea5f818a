// The variable "loop", and the iteration behind it: items are tested by the loop's filter only
// when they are reached, as in Python. Owned by the Runtime.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "model/template/ast.h"
#include "model/template/frame.h"
#include "model/template/value.h"

namespace jarip::jinja {

class Loop final : public Object {
 public:
  // Whether an item is part of the loop.
  using Filter = std::function<Result<bool>(const Value&)>;

  [[nodiscard]] std::string_view type_name() const override { return "LoopContext"; }
  [[nodiscard]] Result<std::optional<Value>> attribute(Runtime& runtime,
                                                       std::string_view name) override;

  void begin(std::vector<Value> items, Filter filter);
  // Moves on; false at the end.
  [[nodiscard]] Result<bool> advance();
  [[nodiscard]] const Value& current() const { return current_; }
  // No more items, and the filter, which refers to the loop's scope, is gone.
  void finish();

  // What a call of a recursive loop needs; null if it is not recursive.
  const For* node = nullptr;
  Frame* scope = nullptr;
  std::int64_t depth0 = 0;

 private:
  friend Result<Value> loop_cycle(Runtime&, const Value&, const Arguments&);
  friend Result<Value> loop_changed(Runtime&, const Value&, const Arguments&);
  [[nodiscard]] Result<std::optional<Value>> pull();
  [[nodiscard]] Result<const std::optional<Value>*> peek();
  [[nodiscard]] Result<std::int64_t> length();

  std::vector<Value> items_;
  std::size_t next_ = 0;
  Filter filter_;
  bool pulling_ = false;
  std::int64_t index0_ = -1;
  Value before_;
  Value current_;
  std::optional<std::optional<Value>> after_;  // once it was looked at
  std::optional<std::int64_t> length_;
  std::optional<Value> last_changed_;  // a tuple
};

}  // namespace jarip::jinja

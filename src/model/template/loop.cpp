#include "model/template/loop.h"

#include <utility>

namespace jarip::jinja {

Result<Value> loop_cycle(Runtime&, const Value& self, const Arguments& arguments) {
  const auto* loop = self.object_as<Loop>();
  if (!arguments.named.empty()) return type_error("loop.cycle takes no named arguments");
  if (arguments.positional.empty()) return type_error("loop.cycle takes at least one item");
  const auto n = static_cast<std::int64_t>(arguments.positional.size());
  return arguments.positional[static_cast<std::size_t>(loop->index0_ % n)];
}

Result<Value> loop_changed(Runtime& runtime, const Value& self, const Arguments& arguments) {
  auto* loop = self.object_as<Loop>();
  if (!arguments.named.empty()) return type_error("loop.changed takes no named arguments");
  JARIP_TRY(Value now, make_sequence(runtime.budget, Sequence::Type::kTuple, arguments.positional));
  if (loop->last_changed_) {
    JARIP_TRY(const bool equal, equals(runtime.budget, *loop->last_changed_, now));
    if (equal) return Value::from(false);
  }
  loop->last_changed_ = std::move(now);
  return Value::from(true);
}

void Loop::begin(std::vector<Value> items, Filter filter) {
  items_ = std::move(items);
  filter_ = std::move(filter);
}

void Loop::finish() {
  items_.clear();
  next_ = 0;
  filter_ = nullptr;
}

Result<std::optional<Value>> Loop::pull() {
  if (pulling_) return type_error("the filter of a loop can't use that loop");
  while (next_ < items_.size()) {
    const Value& item = items_[next_++];
    if (!filter_) return item;
    pulling_ = true;
    const Result<bool> kept = filter_(item);
    pulling_ = false;
    if (!kept) return std::unexpected(kept.error());
    if (*kept) return item;
  }
  return std::nullopt;
}

Result<const std::optional<Value>*> Loop::peek() {
  if (!after_) {
    JARIP_TRY(after_, pull());
  }
  return &*after_;
}

Result<bool> Loop::advance() {
  std::optional<Value> next;
  if (after_) {
    next = *std::move(after_);
    after_.reset();
  } else {
    JARIP_TRY(next, pull());
  }
  if (!next) return false;
  ++index0_;
  before_ = std::exchange(current_, *std::move(next));
  return true;
}

Result<std::int64_t> Loop::length() {
  if (length_) return *length_;
  if (filter_) {
    // All that is left has to be tested now.
    std::vector<Value> rest;
    while (true) {
      JARIP_TRY(std::optional<Value> item, pull());
      if (!item) break;
      rest.push_back(*std::move(item));
    }
    begin(std::move(rest), nullptr);
    next_ = 0;
  }
  const auto left = static_cast<std::int64_t>(items_.size() - next_);
  const bool peeked = after_ && after_->has_value();
  length_ = left + index0_ + 1 + (peeked ? 1 : 0);
  return *length_;
}

Result<std::optional<Value>> Loop::attribute(Runtime&, std::string_view name) {
  const auto number = [](std::int64_t n) { return Value::from(n, false); };
  if (name == "index") return number(index0_ + 1);
  if (name == "index0") return number(index0_);
  if (name == "first") return Value::from(index0_ == 0);
  if (name == "depth") return number(depth0 + 1);
  if (name == "depth0") return number(depth0);
  const Value self(static_cast<Object*>(this), false);
  if (name == "cycle") return make_method(self, "cycle", loop_cycle);
  if (name == "changed") return make_method(self, "changed", loop_changed);
  if (name == "previtem") {
    return index0_ == 0 ? Value::undefined("there is no previous item") : before_;
  }
  if (name == "last" || name == "nextitem") {
    JARIP_TRY(const std::optional<Value>* after, peek());
    if (name == "last") return Value::from(!after->has_value());
    return after->has_value() ? **after : Value::undefined("there is no next item");
  }
  if (name == "length" || name == "revindex" || name == "revindex0") {
    JARIP_TRY(const std::int64_t n, length());
    if (name == "length") return number(n);
    return number(name == "revindex" ? n - index0_ : n - index0_ - 1);
  }
  return std::nullopt;
}

}  // namespace jarip::jinja

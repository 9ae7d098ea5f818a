// The variables of one scope while it runs.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "model/template/ast.h"
#include "model/template/value.h"

namespace jarip::jinja {

class Frame {
 public:
  Frame(Frame* outer, std::span<const NameId> hidden) : outer_(outer) {
    for (const NameId name : hidden) declare(name);
  }
  [[nodiscard]] Frame* outer() const { return outer_; }
  [[nodiscard]] std::size_t size() const { return variables_.size(); }

  // Null if this scope does not have the name; else its value, which may be missing.
  [[nodiscard]] const std::optional<Value>* find(NameId name) const {
    for (const auto& [id, value] : variables_) {
      if (id == name) return &value;
    }
    return nullptr;
  }
  // Has the name, without a value yet.
  void declare(NameId name) { variables_.emplace_back(name, std::nullopt); }
  void set(NameId name, Value value) {
    for (auto& [id, old] : variables_) {
      if (id == name) {
        old = std::move(value);
        return;
      }
    }
    variables_.emplace_back(name, std::move(value));
  }

  // Something that may outlive the scope, a macro say, can still read it and those around it.
  void capture() {
    for (Frame* frame = this; frame != nullptr && !frame->captured_; frame = frame->outer_) {
      frame->captured_ = true;
    }
  }
  [[nodiscard]] bool captured() const { return captured_; }

 private:
  Frame* outer_;
  bool captured_ = false;
  std::vector<std::pair<NameId, std::optional<Value>>> variables_;
};

// A frame for as long as its scope runs, and to the end of the rendering if it is captured.
class FrameOwner {
 public:
  FrameOwner(std::vector<std::unique_ptr<Frame>>& kept, Frame* outer, const Scope& scope)
      : kept_(kept), frame_(std::make_unique<Frame>(outer, scope.hidden)) {}
  FrameOwner(std::vector<std::unique_ptr<Frame>>& kept, Frame* outer)
      : kept_(kept), frame_(std::make_unique<Frame>(outer, std::span<const NameId>())) {}
  ~FrameOwner() {
    if (frame_->captured()) kept_.push_back(std::move(frame_));
  }
  FrameOwner(const FrameOwner&) = delete;
  FrameOwner& operator=(const FrameOwner&) = delete;
  Frame& operator*() { return *frame_; }

 private:
  std::vector<std::unique_ptr<Frame>>& kept_;
  std::unique_ptr<Frame> frame_;
};

}  // namespace jarip::jinja

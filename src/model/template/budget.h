// What one rendering may still spend. Every loop whose length a template or its input decides
// charges here before it allocates. One a rendering, on its thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "model/chat_template.h"

namespace jarip::jinja {

class Budget {
 public:
  explicit Budget(const TemplateLimits& limits) : limits_(limits), steps_left_(limits.max_steps) {}

  [[nodiscard]] std::uint32_t max_depth() const { return limits_.max_depth; }

  [[nodiscard]] Result<void> charge(std::uint64_t steps) {
    if (steps > steps_left_) return fail(ErrorCode::kTooLarge, "the template takes too many steps");
    steps_left_ -= steps;
    return {};
  }

  // For reading n bytes, or making them.
  [[nodiscard]] Result<void> charge_bytes(std::uint64_t n) {
    unpaid_bytes_ += n;
    if (unpaid_bytes_ < kBytesPerStep) return {};
    const std::uint64_t steps = unpaid_bytes_ / kBytesPerStep;
    unpaid_bytes_ %= kBytesPerStep;
    return charge(steps);
  }

  // For a text of this size that grows by so many bytes.
  [[nodiscard]] Result<void> charge_growth(std::uint64_t size, std::uint64_t added) {
    if (added > limits_.max_output_bytes || size > limits_.max_output_bytes - added) {
      return fail(ErrorCode::kTooLarge, "a text of the template grows too long");
    }
    return charge_bytes(added);
  }

  // For nesting that is about to reach this depth.
  [[nodiscard]] Result<void> check_depth(std::uint64_t depth) const {
    if (depth <= limits_.max_depth) return {};
    return fail(ErrorCode::kTooLarge, "the template nests too deeply");
  }

 private:
  // Bounds the memory of a rendering too: no more text is ever made than the steps pay for.
  static constexpr std::uint64_t kBytesPerStep = 256;
  TemplateLimits limits_;
  std::uint64_t steps_left_;
  std::uint64_t unpaid_bytes_ = 0;
};

// Counts one level of nesting for as long as it lives. Check ok() before going deeper.
class Nesting {
 public:
  Nesting(std::uint32_t& depth, std::uint32_t limit) : depth_(depth), ok_(++depth <= limit) {}
  ~Nesting() { --depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::uint32_t& depth_;
  bool ok_;
};

}  // namespace jarip::jinja

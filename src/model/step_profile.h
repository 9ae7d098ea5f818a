// Where a step's time goes, part by part: filled in by Model::step() when a caller asks for it.
// Owned by who asks; written by the thread that calls step().
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace jarip {

enum class StepPart : std::uint8_t {
  kPlan,
  kEmbed,
  kNorm,
  kQkv,  // with rotation and storing
  kAttention,
  kAttentionOut,
  kGateUp,  // with the activation
  kDown,
  kOutput,
};
inline constexpr std::array<std::string_view, 9> kStepPartNames = {
    "plan", "embed", "norm", "q, k, v", "attention", "attention out", "gate, up", "down", "output"};

// What a part did, to be held against the machine's limits.
struct StepWork {
  double seconds = 0;
  double int8_ops = 0;      // of products of quantized weights; a multiply and an add are two
  double f32_flops = 0;     // of products of float weights, and of attention
  double weight_bytes = 0;  // read at least once
};

class StepProfile {
 public:
  [[nodiscard]] const StepWork& part(StepPart part) const {
    return parts_[static_cast<std::size_t>(part)];
  }
  [[nodiscard]] double seconds() const {
    double sum = 0;
    for (const StepWork& work : parts_) sum += work.seconds;
    return sum;
  }
  void clear() { parts_ = {}; }
  // Begins the clock of a step.
  void start() { last_ = Clock::now(); }
  // Counts the time since the last lap for this part, and the work that it did.
  void lap(StepPart part, const StepWork& work = {}) {
    const Clock::time_point now = Clock::now();
    StepWork& sum = parts_[static_cast<std::size_t>(part)];
    sum.seconds += std::chrono::duration<double>(now - last_).count();
    sum.int8_ops += work.int8_ops;
    sum.f32_flops += work.f32_flops;
    sum.weight_bytes += work.weight_bytes;
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::array<StepWork, kStepPartNames.size()> parts_{};
  Clock::time_point last_;
};

}  // namespace jarip

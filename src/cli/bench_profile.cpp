#include "cli/bench_profile.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstddef>
#include <string_view>
#include <vector>

namespace jarip {
namespace {

struct PartLine {
  std::string_view name;
  double milliseconds;
  double share;    // of all parts' time
  double of_int8;  // fractions of the limits, for what the part does of each
  double of_f32;
  double of_read;
};

std::vector<PartLine> lines_of(const StepProfile& profile, const MachineLimits& limits) {
  const double total = profile.seconds();
  std::vector<PartLine> lines;
  for (std::size_t i = 0; i < kStepPartNames.size(); ++i) {
    const StepWork& work = profile.part(static_cast<StepPart>(i));
    if (work.seconds == 0) continue;
    lines.push_back({.name = kStepPartNames[i],
                     .milliseconds = work.seconds * 1e3,
                     .share = work.seconds / total,
                     .of_int8 = work.int8_ops / work.seconds / limits.int8_ops_per_second,
                     .of_f32 = work.f32_flops / work.seconds / limits.f32_flops_per_second,
                     .of_read = work.weight_bytes / work.seconds / limits.read_bytes_per_second});
  }
  return lines;
}

std::string percent(double fraction) {
  return fraction == 0 ? std::string("-") : fmt::format("{:.1f}%", fraction * 100);
}

}  // namespace

std::string limits_table(const MachineLimits& limits, unsigned n_threads) {
  return fmt::format("{:<28} {:>10.1f} G/s\n{:<28} {:>10.1f} G/s\n{:<28} {:>10.1f} GB/s\n",
                     fmt::format("int8 operations, {} threads", n_threads),
                     limits.int8_ops_per_second / 1e9, "f32 operations",
                     limits.f32_flops_per_second / 1e9, "memory read",
                     limits.read_bytes_per_second / 1e9);
}

std::string limits_json(const MachineLimits& limits, unsigned n_threads) {
  return boost::json::serialize(
             boost::json::object{{"threads", n_threads},
                                 {"int8_ops_per_second", limits.int8_ops_per_second},
                                 {"f32_flops_per_second", limits.f32_flops_per_second},
                                 {"read_bytes_per_second", limits.read_bytes_per_second}}) +
         "\n";
}

std::string profile_table(const StepProfile& profile, const MachineLimits& limits) {
  std::string table = fmt::format("  {:<14} {:>10} {:>7} {:>9} {:>9} {:>9}\n", "part", "ms",
                                  "share", "of int8", "of f32", "of read");
  for (const PartLine& line : lines_of(profile, limits)) {
    table += fmt::format("  {:<14} {:>10.3f} {:>7} {:>9} {:>9} {:>9}\n", line.name,
                         line.milliseconds, percent(line.share), percent(line.of_int8),
                         percent(line.of_f32), percent(line.of_read));
  }
  return table;
}

boost::json::array profile_json(const StepProfile& profile, const MachineLimits& limits) {
  boost::json::array list;
  for (const PartLine& line : lines_of(profile, limits)) {
    list.push_back(boost::json::object{{"part", line.name},
                                       {"milliseconds", line.milliseconds},
                                       {"share", line.share},
                                       {"of_int8_limit", line.of_int8},
                                       {"of_f32_limit", line.of_f32},
                                       {"of_read_limit", line.of_read}});
  }
  return list;
}

}  // namespace jarip

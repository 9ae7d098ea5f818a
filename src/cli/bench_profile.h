// What `jarip bench` says beside speeds: the machine's limits, and where a step's time went held
// against them. Used by the command's own thread.
#pragma once

#include <boost/json/array.hpp>
#include <string>

#include "model/step_profile.h"
#include "tensor/limits.h"

namespace jarip {

// One line each for int8, f32 and memory; as JSON, an object of numbers.
[[nodiscard]] std::string limits_table(const MachineLimits& limits, unsigned n_threads);
[[nodiscard]] std::string limits_json(const MachineLimits& limits, unsigned n_threads);

// A line a part: its share of the time, and the fraction of each limit that it reached.
[[nodiscard]] std::string profile_table(const StepProfile& profile, const MachineLimits& limits);
[[nodiscard]] boost::json::array profile_json(const StepProfile& profile,
                                              const MachineLimits& limits);

}  // namespace jarip

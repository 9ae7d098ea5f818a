#include "cli/bench_lines.h"

#include <boost/json.hpp>
#include <chrono>
#include <iostream>
#include <string>

#include "cli/bench_work.h"
#include "cli/output.h"

namespace jarip {
namespace {

Result<double> measure_line(BenchWork& work, std::string_view line) {
  JARIP_TRY(const BenchItem item, parse_bench_item(line));
  JARIP_CHECK(work.prepare(item));
  const auto begin = std::chrono::steady_clock::now();
  work.run(item);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Result<void> answer(const boost::json::object& object) {
  return print(boost::json::serialize(object) + "\n");
}

}  // namespace

Result<void> run_bench_lines(Model& model) {
  BenchWork work(model);
  JARIP_CHECK(answer({{"ready", true}}));
  for (std::string line; std::getline(std::cin, line);) {
    const auto seconds = measure_line(work, line);
    JARIP_CHECK(seconds ? answer({{"seconds", *seconds}})
                        : answer({{"error", seconds.error().message}}));
  }
  return {};
}

}  // namespace jarip

#include "base/metrics.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>
#include <vector>

namespace jarip {
namespace {

TEST(Metrics, RenderAsPrometheusText) {
  MetricsRegistry registry;
  registry.counter("t_requests_total", "Requests.", {{"reason", "stop"}}).add(3);
  registry.counter("t_requests_total", "Requests.", {{"reason", "length"}}).add();
  registry.gauge("t_running", "Running now.").set(0.25);
  const double bounds[] = {0.1, 1.0};
  Histogram& seconds = registry.histogram("t_seconds", "Time.", bounds);
  seconds.observe(0.1);
  seconds.observe(0.5, 2);
  seconds.observe(7);
  EXPECT_EQ(registry.render(),
            "# HELP t_requests_total Requests.\n"
            "# TYPE t_requests_total counter\n"
            "t_requests_total{reason=\"stop\"} 3\n"
            "t_requests_total{reason=\"length\"} 1\n"
            "# HELP t_running Running now.\n"
            "# TYPE t_running gauge\n"
            "t_running 0.25\n"
            "# HELP t_seconds Time.\n"
            "# TYPE t_seconds histogram\n"
            "t_seconds_bucket{le=\"0.1\"} 1\n"
            "t_seconds_bucket{le=\"1\"} 3\n"
            "t_seconds_bucket{le=\"+Inf\"} 4\n"
            "t_seconds_sum 8.1\n"
            "t_seconds_count 4\n");
}

TEST(Metrics, EscapeLabelsAndHelp) {
  MetricsRegistry registry;
  registry.counter("t", "a\\b\n\"c\"", {{"model", "x\"y\\z\nw"}});
  EXPECT_EQ(registry.render(),
            "# HELP t a\\\\b\\n\"c\"\n# TYPE t counter\nt{model=\"x\\\"y\\\\z\\nw\"} 0\n");
}

TEST(Metrics, GaugesThatAreNotFiniteKeepTheFormat) {
  MetricsRegistry registry;
  registry.gauge("t", "T.").set(std::numeric_limits<double>::infinity());
  EXPECT_NE(registry.render().find("\nt +Inf\n"), std::string::npos);
}

TEST(Metrics, CountEveryTickOfEveryThread) {
  MetricsRegistry registry;
  Counter& counter = registry.counter("t", "T.");
  const double bounds[] = {1.0};
  Histogram& histogram = registry.histogram("h", "H.", bounds);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 1000; ++n) {
          counter.add();
          histogram.observe(0.5);
        }
      });
    }
  }
  EXPECT_EQ(counter.value(), 4000U);
  EXPECT_EQ(histogram.bucket(0), 4000U);
  EXPECT_EQ(histogram.sum(), 2000.0);
}

TEST(Metrics, AFollowedHistogramNeverGoesDown) {
  const double bounds[] = {1.0, 2.0};
  Histogram histogram(bounds);
  const std::uint64_t later[] = {5, 1, 2};
  const std::uint64_t earlier[] = {4, 1, 2};
  histogram.raise_to(later, 12.5);
  histogram.raise_to(earlier, 11.5);
  EXPECT_EQ(histogram.bucket(0), 5U);
  EXPECT_EQ(histogram.bucket(2), 2U);
  EXPECT_EQ(histogram.sum(), 12.5);
}

TEST(Metrics, AFollowedCounterNeverGoesDown) {
  Counter counter;
  counter.raise_to(5);
  counter.raise_to(3);
  EXPECT_EQ(counter.value(), 5U);
}

TEST(Metrics, AnAliasShowsSomeOnceMoreUnderAnotherName) {
  static constexpr std::string_view kNames[] = {"waiting", "missing"};
  MetricsRegistry registry;
  registry.gauge("own_waiting", "Waiting.", {{"a", "1"}}).set(2);
  registry.gauge("own_other", "Other.").set(3);
  registry.add_alias({.own_prefix = "own_",
                      .prefix = "their:",
                      .names = kNames,
                      .labels = {{"model_name", "m\""}}});
  EXPECT_EQ(registry.render(),
            "# HELP own_waiting Waiting.\n# TYPE own_waiting gauge\nown_waiting{a=\"1\"} 2\n"
            "# HELP own_other Other.\n# TYPE own_other gauge\nown_other 3\n"
            "# HELP their:waiting Waiting.\n# TYPE their:waiting gauge\n"
            "their:waiting{model_name=\"m\\\"\",a=\"1\"} 2\n");
}

}  // namespace
}  // namespace jarip

// Counters, gauges and histograms, and their text form for Prometheus. Registered while the program
// starts; ticked from any thread without locks; rendered from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace jarip {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  // For a count that someone else keeps: follows it, and never goes down.
  void raise_to(std::uint64_t n);
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double delta) { value_.fetch_add(delta, std::memory_order_relaxed); }
  [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  // bounds: upper bounds of the buckets, ascending; a last bucket without bound is added.
  explicit Histogram(std::span<const double> bounds);

  // Counts `count` observations of the same value.
  void observe(double value, std::uint64_t count = 1);
  // For observations that someone else counts: buckets as bucket() gives them. Follows them, and no
  // number ever goes down. Not together with observe().
  void raise_to(std::span<const std::uint64_t> buckets, double sum);

  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
  // Observations in bucket i alone; i == bounds().size() is the bucket without bound.
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const {
    return buckets_[i].load(std::memory_order_relaxed);
  }
  [[nodiscard]] double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> buckets_;
  std::atomic<double> sum_{0};
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// Metrics shown a second time, under the names that other programs have for the same.
struct MetricAlias {
  std::string own_prefix;                   // "jarip_"
  std::string prefix;                       // put in its place
  std::span<const std::string_view> names;  // without either; they outlive the registry
  MetricLabels labels;                      // added to those that a metric has
};

// Owns the metrics; references stay valid as long as the registry lives.
class MetricsRegistry {
 public:
  // Metrics of one name differ in their labels; the first registration's help is the one shown.
  Counter& counter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, MetricLabels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                       MetricLabels labels = {});

  void add_alias(MetricAlias alias);

  // The Prometheus text format, version 0.0.4.
  [[nodiscard]] std::string render() const;

 private:
  struct Metric {
    MetricLabels labels;
    std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>> of;
  };
  struct Family {
    std::string name;
    std::string help;
    std::string_view type;
    std::vector<Metric> metrics;
  };

  static void append_family(std::string& out, std::string_view name, const Family& family,
                            const MetricLabels& further);
  Family& family(std::string_view name, std::string_view help, std::string_view type);

  mutable std::mutex mutex_;  // of what follows: registering against rendering
  std::deque<Family> families_;
  std::vector<MetricAlias> aliases_;
};

}  // namespace jarip

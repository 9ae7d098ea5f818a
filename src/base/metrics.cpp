#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace jarip {
namespace {

// Escapes as the text format asks: backslash and line feed everywhere, quotes in label values.
void append_escaped(std::string& out, std::string_view text, bool escape_quotes) {
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && escape_quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

// "{a="1",le="0.5"}", or nothing when there is no label.
std::string labels_text(const MetricLabels& labels, std::string_view le = {}) {
  std::string out;
  auto append = [&out](std::string_view name, std::string_view value) {
    out += out.empty() ? '{' : ',';
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
  };
  for (const auto& [name, value] : labels) append(name, value);
  if (!le.empty()) append("le", le);
  if (!out.empty()) out += '}';
  return out;
}

void append_line(std::string& out, std::string_view name, std::string_view labels,
                 std::string_view value) {
  fmt::format_to(std::back_inserter(out), "{}{} {}\n", name, labels, value);
}

void append_histogram(std::string& out, std::string_view name, const MetricLabels& labels,
                      const Histogram& histogram) {
  std::uint64_t count = 0;
  const std::string bucket_name = fmt::format("{}_bucket", name);
  for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
    count += histogram.bucket(i);
    const std::string bound =
        i < histogram.bounds().size() ? number_text(histogram.bounds()[i]) : "+Inf";
    append_line(out, bucket_name, labels_text(labels, bound), fmt::format("{}", count));
  }
  append_line(out, fmt::format("{}_sum", name), labels_text(labels), number_text(histogram.sum()));
  append_line(out, fmt::format("{}_count", name), labels_text(labels), fmt::format("{}", count));
}

template <class T>
void raise(std::atomic<T>& value, T least) {
  T current = value.load(std::memory_order_relaxed);
  while (current < least &&
         !value.compare_exchange_weak(current, least, std::memory_order_relaxed)) {
  }
}

}  // namespace

void Counter::raise_to(std::uint64_t n) { raise(value_, n); }

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), buckets_(bounds.size() + 1) {}

void Histogram::observe(double value, std::uint64_t count) {
  const auto bound = std::ranges::lower_bound(bounds_, value);
  buckets_[static_cast<std::size_t>(bound - bounds_.begin())].fetch_add(count,
                                                                        std::memory_order_relaxed);
  sum_.fetch_add(value * static_cast<double>(count), std::memory_order_relaxed);
}

void Histogram::raise_to(std::span<const std::uint64_t> buckets, double sum) {
  for (std::size_t i = 0; i < std::min(buckets.size(), buckets_.size()); ++i) {
    raise(buckets_[i], buckets[i]);
  }
  raise(sum_, sum);
}

MetricsRegistry::Family& MetricsRegistry::family(std::string_view name, std::string_view help,
                                                 std::string_view type) {
  for (Family& family : families_) {
    if (family.name == name) return family;
  }
  return families_.emplace_back(Family{std::string(name), std::string(help), type, {}});
}

Counter& MetricsRegistry::counter(std::string_view name, std::string_view help,
                                  MetricLabels labels) {
  std::scoped_lock lock(mutex_);
  auto owned = std::make_unique<Counter>();
  Counter& counter = *owned;
  family(name, help, "counter").metrics.push_back({std::move(labels), std::move(owned)});
  return counter;
}

Gauge& MetricsRegistry::gauge(std::string_view name, std::string_view help, MetricLabels labels) {
  std::scoped_lock lock(mutex_);
  auto owned = std::make_unique<Gauge>();
  Gauge& gauge = *owned;
  family(name, help, "gauge").metrics.push_back({std::move(labels), std::move(owned)});
  return gauge;
}

Histogram& MetricsRegistry::histogram(std::string_view name, std::string_view help,
                                      std::span<const double> bounds, MetricLabels labels) {
  std::scoped_lock lock(mutex_);
  auto owned = std::make_unique<Histogram>(bounds);
  Histogram& histogram = *owned;
  family(name, help, "histogram").metrics.push_back({std::move(labels), std::move(owned)});
  return histogram;
}

void MetricsRegistry::add_alias(MetricAlias alias) {
  std::scoped_lock lock(mutex_);
  aliases_.push_back(std::move(alias));
}

void MetricsRegistry::append_family(std::string& out, std::string_view name, const Family& family,
                                    const MetricLabels& further) {
  fmt::format_to(std::back_inserter(out), "# HELP {} ", name);
  append_escaped(out, family.help, false);
  fmt::format_to(std::back_inserter(out), "\n# TYPE {} {}\n", name, family.type);
  for (const Metric& metric : family.metrics) {
    MetricLabels labels = further;
    labels.insert(labels.end(), metric.labels.begin(), metric.labels.end());
    if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&metric.of)) {
      append_line(out, name, labels_text(labels), fmt::format("{}", (*counter)->value()));
    } else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&metric.of)) {
      append_line(out, name, labels_text(labels), number_text((*gauge)->value()));
    } else {
      append_histogram(out, name, labels, *std::get<std::unique_ptr<Histogram>>(metric.of));
    }
  }
}

std::string MetricsRegistry::render() const {
  std::scoped_lock lock(mutex_);
  std::string out;
  for (const Family& family : families_) append_family(out, family.name, family, {});
  for (const MetricAlias& alias : aliases_) {
    for (const Family& family : families_) {
      std::string_view name = family.name;
      if (!name.starts_with(alias.own_prefix)) continue;
      name.remove_prefix(alias.own_prefix.size());
      if (std::ranges::find(alias.names, name) == alias.names.end()) continue;
      append_family(out, fmt::format("{}{}", alias.prefix, name), family, alias.labels);
    }
  }
  return out;
}

}  // namespace jarip

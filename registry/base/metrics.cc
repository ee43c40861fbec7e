#include "registry/base/metrics.h"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>

#include "registry/base/log_writer.h"

namespace outport {
namespace {

// The log has no Metrics object, because it begins before there is one.
prometheus::MetricFamily LostLines(const LogWriter& writer) {
  prometheus::ClientMetric metric;
  metric.counter.value = static_cast<double>(writer.lines_lost());
  return {.name = "outport_log_lines_lost_total",
          .help = "Log lines that were not written: nobody read them in time, or the file failed.",
          .type = prometheus::MetricType::Counter,
          .metric = {metric}};
}

}  // namespace

Metrics::Metrics()
    : registry_(
          std::make_unique<prometheus::Registry>(prometheus::Registry::InsertBehavior::Merge)) {}
Metrics::~Metrics() = default;

prometheus::Counter& Metrics::Counter(const std::string& name, const std::string& help,
                                      const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry_).Add(labels);
}

prometheus::Gauge& Metrics::Gauge(const std::string& name, const std::string& help,
                                  const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add(labels);
}

prometheus::Histogram& Metrics::Histogram(const std::string& name, const std::string& help,
                                          const Labels& labels, const std::vector<double>& bounds) {
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Register(*registry_)
      .Add(labels, bounds);
}

std::string Metrics::Render() const {
  std::ostringstream out;
  std::vector<prometheus::MetricFamily> families = registry_->Collect();
  if (const LogWriter* writer = ProcessLogWriter()) families.push_back(LostLines(*writer));
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

}  // namespace outport

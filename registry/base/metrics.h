#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Registry;
}

namespace outport {

// The metrics of the process, in Prometheus's text format. Safe for several threads. Returned
// references are valid as long as the Metrics object. Calls with the same name and labels return
// the same metric. The number of label values must be bounded: never use names that users choose,
// such as those of repositories or users.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  Metrics();
  ~Metrics();

  prometheus::Counter& Counter(const std::string& name, const std::string& help,
                               const Labels& labels = {});
  prometheus::Gauge& Gauge(const std::string& name, const std::string& help,
                           const Labels& labels = {});
  // `bounds` are the upper bounds of the buckets, in ascending order.
  prometheus::Histogram& Histogram(const std::string& name, const std::string& help,
                                   const Labels& labels, const std::vector<double>& bounds);

  // Returns all metrics in Prometheus's text exposition format, version 0.0.4.
  std::string Render() const;

 private:
  std::unique_ptr<prometheus::Registry> registry_;
};

}  // namespace outport

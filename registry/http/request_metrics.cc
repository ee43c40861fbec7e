#include "registry/http/request_metrics.h"

#include <algorithm>

namespace outport::http {
namespace {

const std::vector<double>& DurationBounds() {
  static const std::vector<double> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                              0.25,   0.5,   1,      2.5,   5,    10,    30,   120};
  return kBounds;
}

size_t RouteIndex(std::optional<Noun> noun) {
  return noun.has_value() ? static_cast<size_t>(*noun) : kNouns;
}

std::string RouteName(std::optional<Noun> noun) {
  return noun.has_value() ? std::string(ToString(*noun)) : "none";
}

}  // namespace

RequestMetrics::RequestMetrics(Metrics& metrics)
    : metrics_(metrics),
      received_bytes_(metrics.Counter("outport_http_received_bytes_total",
                                      "Bytes received from registry clients, TLS included.")),
      sent_bytes_(metrics.Counter("outport_http_sent_bytes_total",
                                  "Bytes sent to registry clients, TLS included.")),
      handshake_failures_(metrics.Counter("outport_http_handshake_failures_total",
                                          "Connections whose TLS handshake failed.")),
      truncated_(metrics.Counter(
          "outport_http_responses_truncated_total",
          "Responses truncated because the rest of the body could not be read or sent.")),
      revoked_(metrics.Counter("outport_http_connections_revoked_total",
                               "Open connections cut because access was revoked.")) {}

void RequestMetrics::Record(Method method, std::optional<Noun> noun, int status,
                            std::chrono::steady_clock::duration took) {
  const size_t status_class =
      std::clamp<size_t>(static_cast<size_t>(status) / 100, 0, kClasses - 1);
  const size_t route = RouteIndex(noun);
  auto& counter =
      requests_[(static_cast<size_t>(method) * kRoutes + route) * kClasses + status_class];
  // Two threads may get here at once. Both get the same series, because Metrics returns an existing
  // series.
  if (counter.load() == nullptr) {
    counter = &metrics_.Counter("outport_http_requests_total", "Requests answered.",
                                {{"method", std::string(ToString(method))},
                                 {"route", RouteName(noun)},
                                 {"status", std::to_string(status_class) + "xx"}});
  }
  counter.load()->Increment();
  auto& histogram = durations_[route];
  if (histogram.load() == nullptr) {
    histogram = &metrics_.Histogram("outport_http_request_duration_seconds",
                                    "Time from the request head to the last byte of the response.",
                                    {{"route", RouteName(noun)}}, DurationBounds());
  }
  histogram.load()->Observe(std::chrono::duration<double>(took).count());
}

void RequestMetrics::RecordBytes(uint64_t received, uint64_t sent) {
  received_bytes_.Increment(static_cast<double>(received));
  sent_bytes_.Increment(static_cast<double>(sent));
}

}  // namespace outport::http

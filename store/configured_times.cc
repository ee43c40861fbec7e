#include "store/configured_times.h"

#include <algorithm>

namespace outport::store {

NodeLifetimes LifetimesOf(const Config& config) {
  return {
      .identity =
          std::chrono::floor<std::chrono::seconds>(config.nodes.identity_certificate_lifetime),
      .server = std::chrono::floor<std::chrono::seconds>(config.nodes.server_certificate_lifetime)};
}

CollectionTimes CollectionTimesOf(const Config& config) {
  return {.grace = config.gc.grace, .lease = config.gc.lease, .trash = config.gc.trash};
}

std::chrono::milliseconds CollectionInterval(const Config& config) {
  constexpr std::chrono::milliseconds kShortest = std::chrono::seconds(1);
  constexpr std::chrono::milliseconds kLongest = std::chrono::minutes(1);
  return std::clamp(std::min(config.gc.grace, config.gc.trash) / 10, kShortest, kLongest);
}

}  // namespace outport::store

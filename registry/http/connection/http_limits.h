#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace outport {

// Every wait and every size of a registry connection.
struct HttpLimits {
  // At a limit, the oldest unauthenticated connection is evicted; if there is none, the new one is
  // closed. Metrics count both.
  size_t connections = 2000;
  size_t connections_of_one_address = 500;
  size_t header_bytes = 32 << 10;      // beyond it 431
  size_t target_bytes = 16 << 10;      // path and query; beyond it 414
  uint64_t manifest_bytes = 64 << 20;  // of manifests in memory; beyond it 429
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds header{15'000};    // a request's header; the wait for the first one
  std::chrono::milliseconds idle{120'000};     // between requests
  std::chrono::milliseconds progress{30'000};  // a body that moves no byte for this long is cut
};

}  // namespace outport

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace outport {

// The limits on sizes and waits of registry connections.
struct HttpLimits {
  // The number of open connections. At this limit, the listener evicts the oldest unauthenticated
  // connection for a new one. If all connections are authenticated, the listener closes the new
  // one. Metrics count both cases.
  size_t connections = 2000;
  size_t connections_of_one_address = 500;
  size_t header_bytes = 32 << 10;      // a larger header gets the status 431
  size_t target_bytes = 16 << 10;      // path and query; a longer target gets the status 414
  uint64_t manifest_bytes = 64 << 20;  // all manifests in memory; further requests get 429
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds header{15'000};    // longest wait for a header or the first request
  std::chrono::milliseconds idle{120'000};     // longest wait between requests
  std::chrono::milliseconds progress{30'000};  // longest wait to send or receive a byte of a body
};

}  // namespace outport

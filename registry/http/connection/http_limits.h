#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace outport {

// The limits of a registry connection: sizes and waits.
struct HttpLimits {
  // At a limit, the oldest unauthenticated connection is evicted; if there is none, the new one is
  // closed. Metrics count both.
  size_t connections = 2000;
  size_t connections_of_one_address = 500;
  size_t header_bytes = 32 << 10;      // answered with 431 beyond it
  size_t target_bytes = 16 << 10;      // of path and query; answered with 414 beyond it
  uint64_t manifest_bytes = 64 << 20;  // of all manifests in memory; answered with 429 beyond it
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds header{15'000};    // a request's header, and the wait for the first one
  std::chrono::milliseconds idle{120'000};     // between requests
  std::chrono::milliseconds progress{30'000};  // without a byte of a body, sent or received
};

}  // namespace outport

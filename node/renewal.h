#pragma once

#include <grpcpp/channel.h>

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"

namespace outport::node {

// Renews the node's certificates at the store, each after a third of its life and a jitter, so that
// the nodes of a fleet do not come at once. The keys stay: each renewal replaces one file, and
// whoever reads certificate and key finds a pair. Safe for all threads.
class Renewal {
 public:
  // What it borrows outlives it.
  struct Parts {
    std::shared_ptr<grpc::Channel> channel;  // shared with the other callers of the store
    std::filesystem::path pki;               // DATA/pki
    std::string node;                        // its name
    BlockingPool& pool;
    const Clock& clock;
    Metrics& metrics;
    Log log;
  };
  explicit Renewal(Parts parts);

  // Renews what is due; returns how long until the next look. Blocks; one call at a time.
  std::chrono::milliseconds Look();
  net::awaitable<void> FollowUntilCancelled();

  // Why the store takes no call of this node any more, and what to do: the identity has expired.
  std::optional<std::string> WhyUseless() const;
  // That it will, if nothing changes: renewals have failed for too long.
  std::optional<std::string> Warning() const;

 private:
  using Time = std::chrono::system_clock::time_point;
  struct Life {
    Time begin;
    Time end;
    std::chrono::seconds whole() const {
      return std::chrono::floor<std::chrono::seconds>(end - begin);
    }
  };
  Result<Life> Read(const std::filesystem::path& certificate) const;
  Time DueOf(const Life& life) const;
  Result<void> Renew(bool server_too);

  const Parts parts_;
  const double jitter_;  // a share of life, drawn once
  prometheus::Gauge& expiry_;
  prometheus::Counter& renewed_;
  prometheus::Counter& failed_;
  mutable Mutex mutex_;
  std::optional<Life> identity_ OUTPORT_GUARDED_BY(mutex_);
  std::string failure_ OUTPORT_GUARDED_BY(mutex_);  // of the last attempt; empty: none
};

}  // namespace outport::node

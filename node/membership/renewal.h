#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/upstream/store_channel.h"
#include "outport/v1/replication.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/result.h"

namespace outport::node {

// Keeps what stands in DATA/pki: renews the node's certificates at the store, each after a third of
// its life and a jitter, so that the nodes of a fleet do not come at once; and follows whom the
// fleet trusts, as its authorities are replaced: then the certificates are renewed as soon as they
// chain to another authority than the one that issues. The keys stay: each renewal replaces one
// file, and whoever reads certificate and key finds a pair. Safe for all threads.
class Renewal {
 public:
  // What it borrows outlives it.
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    // Called when the identity was renewed: connections are to begin anew. On the pool.
    std::function<void()> renewed;
    std::filesystem::path pki;  // DATA/pki
    std::string node;           // its name
    BlockingPool& pool;
    const Clock& clock;
    Metrics& metrics;
    Log log;
  };
  explicit Renewal(Parts parts);

  // What the store says of the fleet's authorities: Look() brings the files there, at once and
  // until it works. Does not block.
  void Take(const v1::TrustRow& trust);
  // Adds to a ping what this node's certificates chain to.
  void Tell(v1::NodeMessage::Ping& ping) const;

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
  struct Certificate {
    Life life;
    std::string chain;  // what stands behind it
  };
  Result<Certificate> Read(const std::filesystem::path& certificate) const;
  void Learn(const Certificate& identity, const Certificate& server);
  std::chrono::milliseconds RetryAfter(const Life& life) const;
  // Writes whom the fleet trusts, if that is not in the file.
  Result<void> WriteTrust() const;
  void Failed(const std::string& why, const Life& identity);
  Time DueOf(const Life& life) const;
  Result<void> Renew(bool server_too);

  const Parts parts_;
  const double jitter_;  // a share of life, drawn once
  // Of Look().
  std::optional<std::chrono::steady_clock::time_point> renewed_at_;
  int in_vain_ = 0;  // renewals, one after the other, that did not bring what was wanted
  prometheus::Gauge& expiry_;
  prometheus::Counter& renewed_;
  prometheus::Counter& failed_;
  mutable Mutex mutex_;
  std::optional<Life> identity_ OUTPORT_GUARDED_BY(mutex_);
  std::string failure_ OUTPORT_GUARDED_BY(mutex_);  // of the last attempt; empty: none
  std::optional<v1::TrustRow> trust_ OUTPORT_GUARDED_BY(mutex_);  // as the store said last
  std::string unwritten_ OUTPORT_GUARDED_BY(mutex_);  // why whom it trusts is not in the file
  std::vector<std::string> chains_ OUTPORT_GUARDED_BY(mutex_);  // hashes, as Tell() tells
  Notifier taken_;
};

}  // namespace outport::node

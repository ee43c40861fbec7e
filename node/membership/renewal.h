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
#include "registry/base/repeated_failure.h"
#include "registry/base/result.h"

namespace outport::node {

// Keeps the files in DATA/pki up to date. It renews the node's certificates at the store, each
// after a third of its lifetime and a jitter, so that the nodes of a fleet do not renew at once.
// During a CA rotation it writes the new trust bundle, and renews certificates that do not chain to
// the current issuing CA. The keys stay: a renewal replaces one file, so that a reader always finds
// a certificate that matches its key. Safe for all threads.
class Renewal {
 public:
  // The referenced objects outlive the Renewal.
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    // Called on the pool after the identity was renewed, to reconnect with it.
    std::function<void()> renewed;
    std::filesystem::path pki;  // DATA/pki
    std::string node;           // the node's name
    BlockingPool& pool;
    const Clock& clock;
    Metrics& metrics;
    Log log;
  };
  explicit Renewal(Parts parts);

  // Sets the fleet's current authorities, as the store sent them. The next Check() updates the
  // files, and retries until that works. Does not block.
  void SetTrust(const v1::TrustRow& trust);
  // Adds the hashes of the chains of this node's certificates to a ping.
  void AddTo(v1::NodeMessage::Ping& ping) const;

  // Writes the trust bundle and renews the certificates that are due. Returns the time until the
  // next check. Blocks; for one thread at a time.
  std::chrono::milliseconds Check();
  // Checks whenever a check is due or the authorities changed.
  net::awaitable<void> FollowUntilCancelled();

  // Set if the identity has expired: the store rejects all calls of this node. Says what to do.
  std::optional<std::string> WhyExpired() const;
  // Set if the last renewal, or the last write of the trust bundle, failed.
  std::optional<std::string> Warning() const;

 private:
  using Time = std::chrono::system_clock::time_point;
  struct Lifetime {
    Time begin;
    Time end;
    std::chrono::seconds length() const {
      return std::chrono::floor<std::chrono::seconds>(end - begin);
    }
  };
  struct Certificate {
    Lifetime lifetime;
    std::string chain;  // the certificates of the authorities, PEM
  };
  struct Due {
    bool any = false;  // then the identity is renewed, whichever certificate is due
    bool server = false;
    bool new_issuer = false;  // because a certificate does not chain to the current issuing CA
  };
  Result<Certificate> Read(const std::filesystem::path& certificate) const;
  // Writes the trust bundle if the file does not hold it yet.
  Result<void> WriteTrustBundle() const;
  // Publishes the state of the files to the gauge and to the other threads.
  void Record(const Certificate& identity, const Certificate& server);
  std::string CurrentIssuerChain() const;  // "" if it is unknown
  Time DueAt(const Lifetime& lifetime) const;
  Due FindDue(const Certificate& identity, const Certificate& server) const;
  // Returns the time until the next check.
  std::chrono::milliseconds RenewDue(const Due& due, const Lifetime& identity);
  Result<void> Renew(bool server_too);
  void RecordFailure(const Lifetime& identity, const std::string& why);
  std::chrono::milliseconds RetryAfter(const Lifetime& lifetime) const;

  const Parts parts_;
  const double jitter_;  // a fraction of the lifetime, drawn once
  // Only Check() uses these two.
  std::optional<std::chrono::steady_clock::time_point> renewed_at_;
  int fruitless_ = 0;  // consecutive renewals after which a certificate was still due
  prometheus::Gauge& expiry_;
  prometheus::Counter& renewed_;
  RepeatedFailure renewal_failure_;
  RepeatedFailure trust_write_failure_;  // of the trust bundle into its file
  mutable Mutex mutex_;
  std::optional<Lifetime> identity_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<v1::TrustRow> trust_ OUTPORT_GUARDED_BY(mutex_);  // as the store sent it last
  std::vector<std::string> chains_ OUTPORT_GUARDED_BY(mutex_);    // hashes, for AddTo()
  Notifier trust_changed_;
};

}  // namespace outport::node

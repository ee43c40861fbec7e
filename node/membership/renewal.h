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

// Keeps the files in DATA/pki up to date. Renewal asks the store for a new certificate after a
// third of the certificate's lifetime, plus a jitter: the nodes of a fleet must not renew all at
// once. During a CA rotation it writes the new trust bundle, and renews certificates that do not
// chain to the current issuing CA. A renewal keeps the key and replaces only the certificate's
// file. So a reader always finds a certificate that matches its key. Safe for all threads.
class Renewal {
 public:
  // The referenced objects outlive the Renewal.
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    // Called on the pool after a renewal of the identity, to reconnect with the new certificate.
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
  // files. If the update fails, later checks retry it. Does not block.
  void SetTrust(const v1::TrustRow& trust);
  // Adds the hashes of the chains of this node's certificates to a ping.
  void AddTo(v1::NodeMessage::Ping& ping) const;

  // Writes the trust bundle and renews the certificates that are due. Returns the time until the
  // next check. Blocks; for one thread at a time.
  std::chrono::milliseconds Check();
  // Checks whenever a check is due or the authorities changed.
  net::awaitable<void> FollowUntilCancelled();

  // Returns a text, with the fix, if the identity has expired. The store then rejects all calls of
  // this node.
  std::optional<std::string> WhyExpired() const;
  // Returns a text if the last renewal, or the last write of the trust bundle, failed.
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
    bool any = false;  // a certificate is due; every renewal includes the identity
    bool server = false;
    bool new_issuer = false;  // a certificate does not chain to the current issuing CA
  };
  Result<Certificate> Read(const std::filesystem::path& certificate) const;
  // Writes the trust bundle if the file has other content.
  Result<void> WriteTrustBundle() const;
  // Publishes the expiry of the identity to the gauge, and the expiry and the hashes of the chains
  // to other threads.
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
  const double jitter_;  // a random fraction of the lifetime, drawn once
  // Only Check() uses the next two members.
  std::optional<std::chrono::steady_clock::time_point> renewed_at_;
  int fruitless_ = 0;  // consecutive renewals after which a certificate was still due
  prometheus::Gauge& expiry_;
  prometheus::Counter& renewed_;
  RepeatedFailure renewal_failure_;
  RepeatedFailure trust_write_failure_;  // of the trust bundle into its file
  mutable Mutex mutex_;
  std::optional<Lifetime> identity_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<v1::TrustRow> trust_ OUTPORT_GUARDED_BY(mutex_);  // the last that the store sent
  std::vector<std::string> chains_ OUTPORT_GUARDED_BY(mutex_);    // hashes, for AddTo()
  Notifier trust_changed_;
};

}  // namespace outport::node

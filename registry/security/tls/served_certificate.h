#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/awaitable.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/repeated_failure.h"
#include "registry/security/tls/tls.h"

namespace outport {

class BlockingPool;

// Where a TLS server's certificate (leaf first, then what it chains to) and its key stand, and whom
// it trusts; PEM.
struct CertificateFiles {
  std::filesystem::path certificate;
  std::filesystem::path key;              // only its owner may read it
  std::filesystem::path fleet = {};       // the fleet's authorities; empty: as it was told
  std::filesystem::path client_ca = {};   // empty: there are none
  std::filesystem::path client_crl = {};  // empty: there are none
};

// What stood in the files, and is good to be shown.
struct LoadedCertificate {
  ServerTlsOptions options;
  std::shared_ptr<ServerTlsContext> tls;  // shared with the connections
  std::chrono::system_clock::time_point not_after;
};

// Reads them; `shown` says the rest of the options. The error names the file, or both where they
// do not belong together. Blocks.
Result<LoadedCertificate> LoadCertificate(const CertificateFiles& files, ServerTlsOptions shown);

// A server's certificate, and whom it trusts, as the files change. They are read again every other
// second, however they came to change: written in place, renamed over, reached by another symbolic
// link. Files that are no good change nothing and is told of in log, metrics and Warnings(); since
// two files do not change at once, not before they were found so twice. Safe for all threads.
class ServedCertificate {
 public:
  using OnReload = std::function<void(std::shared_ptr<ServerTlsContext>)>;
  // What it borrows outlives it.
  struct Parts {
    BlockingPool& pool;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    CertificateFiles files;
    OnReload on_reload;  // called with the context for new connections
  };
  ServedCertificate(Parts parts, LoadedCertificate first);

  std::shared_ptr<ServerTlsContext> tls() const;
  std::chrono::system_clock::time_point not_after() const;
  // The fleet's authorities (PEM) that it trusts: those in use, whatever the files say.
  std::string fleet() const;
  // Why the files are not followed, if so.
  std::optional<std::string> WhyNotReloaded() const;
  // Why it is of no use any more: it expired.
  std::optional<std::string> WhyExpired() const;
  // What an administrator should look at while all still works: it expires soon, or is kept since
  // the files are no good, or a revocation list is out of date.
  std::vector<std::string> Warnings() const;

  // Looks at the files once; true if a new certificate is in use. Blocks; one call at a time.
  bool Reload();
  Awaitable<void> FollowUntilCancelled();

 private:
  void Use(LoadedCertificate loaded);

  const Parts parts_;
  prometheus::Gauge& expiry_;
  prometheus::Counter& reloads_;
  prometheus::Counter& failures_;
  RepeatedFailure failure_;
  std::optional<std::string> suspect_;  // of Reload(): what was wrong at the last look
  mutable Mutex mutex_;
  LoadedCertificate current_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport

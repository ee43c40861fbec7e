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
#include "registry/security/pki/pki.h"
#include "registry/security/tls/tls.h"

namespace outport {

class BlockingPool;
class ListHistory;

// The PEM files of a TLS server.
struct CertificateFiles {
  std::filesystem::path certificate;      // the chain, leaf first
  std::filesystem::path key;              // readable by its owner alone
  std::filesystem::path fleet = {};       // trust bundle; empty: use ServerTlsOptions
  std::filesystem::path client_ca = {};   // authorities outside the fleet; empty: none
  std::filesystem::path client_crl = {};  // CRLs of `client_ca`; empty: none
};

// The checked content of the files, ready to use.
struct LoadedCertificate {
  ServerTlsOptions options;
  std::shared_ptr<ServerTlsContext> tls;  // shared with the connections
  pki::Validity validity;                 // of the certificate
};

// Loads the files into a copy of `shown`, which has the options that no file contains. The error
// names the invalid file, or the certificate and the key if they do not belong together. Blocks.
Result<LoadedCertificate> LoadCertificate(const CertificateFiles& files, ServerTlsOptions shown);

// The server's certificate and trust bundle, reloaded when their files change. It reads the files
// every two seconds, so an administrator may change them in any way: write, rename or symbolic
// link. It replaces three parts independently of each other: the certificate with its key, the
// trust bundle, and the other authorities with their lists. If the new files of a part are invalid,
// the server keeps the previous content of this part, and reports the problem in the log, the
// metrics and Warnings(). A certificate that has expired or is not valid yet is invalid. Files that
// would accept a certificate again that a revocation list has revoked are invalid, see ListHistory.
// The server reports a problem only if two checks in a row find it, because between two checks only
// some of the files may have changed. Safe for all threads.
class ServedCertificate {
 public:
  using OnReload = std::function<void(std::shared_ptr<ServerTlsContext>)>;
  // The referenced objects must outlive the ServedCertificate.
  struct Parts {
    BlockingPool& pool;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    CertificateFiles files;
    OnReload on_reload;  // called with the context for new connections
  };
  ServedCertificate(Parts parts, LoadedCertificate first);
  ~ServedCertificate();

  std::shared_ptr<ServerTlsContext> tls() const;
  std::chrono::system_clock::time_point not_after() const;
  // The fleet's trust bundle (PEM) in use, which may differ from the file.
  std::string fleet() const;
  // Returns why the current files could not be loaded, or nullopt if they are in use.
  std::optional<std::string> WhyNotReloaded() const;
  // Returns an error text if the certificate in use has expired or is not valid yet, else nullopt.
  std::optional<std::string> WhyExpired() const;
  // Problems for an administrator: the certificate expires soon, the files could not be loaded, or
  // a revocation list has expired.
  std::vector<std::string> Warnings() const;

  // Checks the files once. Returns true if it loaded changed files. Blocks. REQUIRES: no other
  // Reload() runs.
  bool Reload();
  Awaitable<void> FollowUntilCancelled();

 private:
  pki::Validity validity() const;
  // Makes `current` from `options`, or leaves it as it is.
  Result<void> Replace(LoadedCertificate& current, ServerTlsOptions options) const;
  void Report(const std::optional<Error>& problem);
  void Use(LoadedCertificate loaded);

  const Parts parts_;
  prometheus::Gauge& expiry_;
  prometheus::Counter& reloads_;
  prometheus::Counter& failures_;
  RepeatedFailure failure_;
  std::optional<std::string> suspect_;          // the problem that the last Reload() found
  const std::unique_ptr<ListHistory> history_;  // for Reload() alone
  mutable Mutex mutex_;
  LoadedCertificate current_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport

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

// The PEM files of a TLS server.
struct CertificateFiles {
  std::filesystem::path certificate;  // the chain, leaf first
  std::filesystem::path key;          // readable by its owner alone
  std::filesystem::path fleet = {};   // the fleet's trust bundle; empty: that of ServerTlsOptions
  std::filesystem::path client_ca = {};   // further authorities of clients; empty: none
  std::filesystem::path client_crl = {};  // their revocation lists; empty: none
};

// The content of the files, checked and ready to use.
struct LoadedCertificate {
  ServerTlsOptions options;
  std::shared_ptr<ServerTlsContext> tls;  // shared with the connections
  std::chrono::system_clock::time_point not_after;
};

// Loads the files into a copy of `shown`, which has the other options. The error names the invalid
// file, or both if certificate and key do not fit. Blocks.
Result<LoadedCertificate> LoadCertificate(const CertificateFiles& files, ServerTlsOptions shown);

// The server's certificate and trust bundle, reloaded when their files change. It reads the files
// every two seconds, so any way to change them works: write, rename, symbolic link. Invalid files
// keep the previous ones in use, and are reported in the log, metrics and Warnings(). They are
// reported only if two checks in a row find the same problem, because several files do not change
// at once. Safe for all threads.
class ServedCertificate {
 public:
  using OnReload = std::function<void(std::shared_ptr<ServerTlsContext>)>;
  // The references outlive the ServedCertificate.
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
  // The fleet's trust bundle (PEM) in use, which may differ from the file.
  std::string fleet() const;
  // Why the current files could not be loaded; nullopt if they are in use.
  std::optional<std::string> WhyNotReloaded() const;
  // The error text if the certificate in use has expired.
  std::optional<std::string> WhyExpired() const;
  // Problems for an administrator: the certificate expires soon, the files could not be loaded, or
  // a revocation list has expired.
  std::vector<std::string> Warnings() const;

  // Checks the files once; true if it loaded changed files. Blocks; one call at a time.
  bool Reload();
  Awaitable<void> FollowUntilCancelled();

 private:
  void Use(LoadedCertificate loaded);

  const Parts parts_;
  prometheus::Gauge& expiry_;
  prometheus::Counter& reloads_;
  prometheus::Counter& failures_;
  RepeatedFailure failure_;
  std::optional<std::string> suspect_;  // of Reload(): the problem that the last check found
  mutable Mutex mutex_;
  LoadedCertificate current_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport

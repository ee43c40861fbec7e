#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/security/pki/openssl.h"
#include "registry/security/tls/client_trust.h"

namespace outport {

// Remembers the revocation lists that a server has used, so that a change of the files never
// accepts a certificate again that a list revokes. An authority that had a list must keep one, and
// the list must not become older. An authority may leave together with its list, as long as no
// other authority makes its certificates valid. For one thread at a time; does not block.
class ListHistory {
 public:
  // Checks the authorities and lists that would replace the recorded ones. kFailedPrecondition
  // names the authority whose list is missing or too old. REQUIRES: ClientTrust::Create() accepts
  // `next`.
  Result<void> Check(const ClientTrustOptions& next) const;
  // Records the authorities and lists that the server uses from now on. REQUIRES:
  // ClientTrust::Create() accepts `used`.
  void Record(const ClientTrustOptions& used);

 private:
  // The newest list of an authority.
  struct Entry {
    openssl::CertificatePtr authority;
    std::string number;  // the CRL number, big-endian without leading zeros; empty: none
    std::chrono::system_clock::time_point this_update;

    bool IsOlderThan(const Entry& other) const;
  };
  static Result<std::vector<Entry>> NewestLists(const ClientTrustOptions& options);
  bool IsTrusted(X509* authority, const std::vector<openssl::CertificatePtr>& trusted) const;

  std::vector<Entry> entries_;                  // one for each authority that ever had a list
  std::vector<openssl::CertificatePtr> known_;  // all authorities, for the chains of `entries_`
};

}  // namespace outport

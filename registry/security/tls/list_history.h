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
// the list must not become older. An authority may leave together with its list; the server then
// continues to apply the last list, because a client can send the authority's certificate, and
// another authority may have issued it. For one thread at a time; does not block.
class ListHistory {
 public:
  // Checks the authorities and lists that would replace the recorded ones. kFailedPrecondition
  // names the authority whose list is missing or too old, or is not valid at the time `now` while
  // the recorded one is. REQUIRES: ClientTrust::Create() accepts `next`.
  Result<void> Check(const ClientTrustOptions& next,
                     std::chrono::system_clock::time_point now) const;
  // Returns the last lists (PEM) of the authorities that have no list in `next`.
  std::string DepartedLists(const ClientTrustOptions& next) const;
  // Records the authorities and lists that the server uses from now on. REQUIRES:
  // ClientTrust::Create() accepts `used`.
  void Record(const ClientTrustOptions& used);

 private:
  // The newest list of an authority, and what its earlier lists had.
  struct Entry {
    openssl::CertificatePtr authority;
    std::string list;  // PEM
    std::chrono::system_clock::time_point this_update;
    std::chrono::system_clock::time_point next_update;
    // The highest CRL number, big-endian without leading zeros; empty: none had a number.
    std::string number;
    std::chrono::system_clock::time_point number_update;  // of the list with `number`
    std::chrono::system_clock::time_point latest;         // the latest `this_update`

    bool IsOlderThan(const Entry& other) const;
    std::string WhyNotValid(std::chrono::system_clock::time_point now) const;
    // Adds what `before`, the previous entry of the authority, remembers.
    void Follow(const Entry& before);
  };
  static Result<std::vector<Entry>> NewestLists(const ClientTrustOptions& options);

  std::vector<Entry> entries_;  // one for each authority that ever had a list
};

}  // namespace outport

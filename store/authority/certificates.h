#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "outport/v1/admin.pb.h"
#include "outport/v1/record.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/records/row_page.h"
#include "registry/security/pki/pki.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/audit/auditor.h"
#include "store/authority/authorities.h"

namespace outport::store {

inline constexpr uint32_t kDefaultCertificateDays = 365;
inline constexpr uint32_t kMaxCertificateDays = 5 * 365;
inline constexpr std::chrono::days kRememberedDays{90};  // after its end, in `cert list`

// The row of a certificate that was issued.
v1::CertificateRow ToRow(const pki::LeafOptions& options, const pki::IssuedCertificate& issued,
                         int64_t now_ms, const std::string& issued_by);

// Enters the revocation of a certificate and its change record; false if it was revoked before.
Result<bool> InsertRevocation(MetaTransaction& transaction, const v1::CertificateRow& row,
                              int64_t now_ms, const std::string& by);

// What the issuing CA signs, and the rows that remember it. Safe for several threads; blocks.
class Certificates {
 public:
  // What it borrows outlives it.
  Certificates(MetaStore& meta, const Authorities& authorities, AccessFollower& follower,
               const Clock& clock, Log log);

  struct Issued {
    std::string chain;        // PEM: leaf, then what it chains to
    std::string authorities;  // PEM: the root; while that is replaced, both
    v1::CertificateRow row;
  };
  // A certificate of a client or an administrator for the key of `request` (PKCS#10, PEM). `days`:
  // 0 is the default. kInvalidArgument: another role, a bad name, request or number of days.
  Result<Issued> Issue(Role role, const std::string& name, std::string_view request, uint32_t days,
                       const Actor& by);

  struct Revoked {
    uint64_t sequence = 0;  // of the change
    v1::CertificateRow row;
  };
  // Refuses the certificate from now on; the directory has followed when this returns. `serial`:
  // its beginning is enough, from 8 digits on. kNotFound; kInvalidArgument if several begin so;
  // kFailedPrecondition for `own`, the caller's. Again, for one that is revoked, it does nothing.
  Result<Revoked> Revoke(const std::string& serial, const CertificateId& own, const Actor& by);

  // The certificate whose serial number begins so, and its revocation. Fails as Revoke() does.
  Result<v1::CertificateInfo> Find(const std::string& serial) const;

  // Removes the rows of certificates that ended kRememberedDays ago, unless they were revoked:
  // renewals make new ones all the time. Returns how many there were.
  Result<size_t> DeleteExpired();

  // Certificates after `after` (the `next` of the previous page, or empty), at most `limit`.
  Result<RowPage<v1::CertificateInfo>> List(const std::string& after, size_t limit) const;

 private:
  Result<v1::CertificateRow> FindBySerial(const std::string& serial) const;
  Result<v1::CertificateInfo> Describe(v1::CertificateRow row) const;

  MetaStore& meta_;
  const Authorities& authorities_;
  AccessFollower& follower_;
  const Clock& clock_;
  const Log log_;
};

}  // namespace outport::store

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
// The store keeps the row of a certificate for this time after the certificate expired.
inline constexpr std::chrono::days kKeepExpired{90};

// Returns the row of an issued certificate.
v1::CertificateRow ToRow(const pki::LeafOptions& options, const pki::IssuedCertificate& issued,
                         int64_t now_ms, const std::string& issued_by);

// Returns the row of a certificate's revocation.
v1::RevocationRow RevocationOf(const v1::CertificateRow& row, int64_t now_ms,
                               const std::string& by);

// Inserts the revocation of a certificate, and the change record for it. Returns false if the
// certificate is revoked already.
Result<bool> InsertRevocation(MetaTransaction& transaction, const v1::CertificateRow& row,
                              int64_t now_ms, const std::string& by);

// Issues, revokes and lists the certificates of the fleet. Every certificate has a row, so that an
// administrator can revoke it. Safe for several threads; blocks.
class Certificates {
 public:
  // The referenced objects outlive this object.
  Certificates(MetaStore& meta, const Authorities& authorities, AccessFollower& follower,
               const Clock& clock, Log log);

  struct Issued {
    std::string chain;        // PEM: the certificate, then its issuing CAs
    std::string authorities;  // PEM: the root; while the root is rotated, the old and the new root
    v1::CertificateRow row;
  };
  // Issues a certificate to a client or an administrator, for the key of `request` (PKCS#10, PEM).
  // If `days` is 0, the certificate gets the default lifetime. Returns kInvalidArgument for another
  // role, or for an invalid name, request or number of days.
  Result<Issued> Issue(Role role, const std::string& name, std::string_view request, uint32_t days,
                       const Actor& by);

  struct Revoked {
    uint64_t sequence = 0;  // the sequence of the change
    v1::CertificateRow row;
  };
  // Revokes a certificate. When the method returns, the access directory refuses the certificate.
  // If it is the certificate of a node, the node's stream is cut. `serial` is the serial number, or
  // at least its first 8 digits. Returns kNotFound if no certificate matches, kInvalidArgument if
  // several match, and kFailedPrecondition if `own`, the caller's certificate, matches. A repeated
  // call changes nothing. If the store cannot write, the revocation is pending, and the sequence is
  // 0: see PendingAccess.
  Result<Revoked> Revoke(const std::string& serial, const CertificateId& own, const Actor& by);

  // Finds a certificate and its revocation by the first digits of its serial number. Fails like
  // Revoke().
  Result<v1::CertificateInfo> Find(const std::string& serial) const;

  // Deletes the rows of certificates that expired more than kKeepExpired ago. Without this
  // deletion, renewals would add rows forever. Keeps the rows of revoked certificates. Returns the
  // number of deleted rows.
  Result<size_t> DeleteExpired();

  // Returns at most `limit` certificates that come after `after`. `after` is the `next` of the
  // previous page, or empty for the first page.
  Result<RowPage<v1::CertificateInfo>> List(const std::string& after, size_t limit) const;

 private:
  Result<uint64_t> WriteRevocation(const v1::CertificateRow& row, const Actor& by);
  Result<v1::CertificateRow> FindBySerial(const std::string& serial) const;
  Result<v1::CertificateInfo> Describe(v1::CertificateRow row) const;

  MetaStore& meta_;
  const Authorities& authorities_;
  AccessFollower& follower_;
  const Clock& clock_;
  const Log log_;
};

}  // namespace outport::store

#pragma once

#include "outport/v1/access.pb.h"
#include "outport/v1/admin.pb.h"
#include "registry/base/result.h"
#include "store/fleet/administrator.h"
#include "store/fleet/fleet.h"

namespace outport::store {

// Implements the operations of administrators on certificates. Safe for several threads; blocks.
class CertificateVerbs {
 public:
  explicit CertificateVerbs(Fleet& fleet) : fleet_(fleet) {}  // `fleet` outlives this object

  Result<v1::IssueCertificateResponse> Issue(const v1::IssueCertificateRequest& request,
                                             const Administrator& by) const;
  Result<v1::RevokeCertificateResponse> Revoke(const v1::RevokeCertificateRequest& request,
                                               const Administrator& by) const;
  Result<v1::CertificateInfo> Get(const v1::GetCertificateRequest& request) const;
  Result<v1::ListCertificatesResponse> List(const v1::ListCertificatesRequest& request) const;

 private:
  Fleet& fleet_;
};

}  // namespace outport::store

#include "store/admin/certificate_verbs.h"

#include "store/admin/paging.h"

namespace outport::store {

Result<v1::IssueCertificateResponse> CertificateVerbs::Issue(
    const v1::IssueCertificateRequest& request, const Administrator& by) const {
  TRY(const Role role, ParseRole(request.role()));
  TRY(const Certificates::Issued issued,
      fleet_.certificates.Issue(role, request.name(), request.request(), request.days(), by.actor));
  v1::IssueCertificateResponse response;
  response.set_certificate(issued.chain);
  response.set_authorities(issued.authorities);
  *response.mutable_row() = issued.row;
  return response;
}

Result<v1::RevokeCertificateResponse> CertificateVerbs::Revoke(
    const v1::RevokeCertificateRequest& request, const Administrator& by) const {
  TRY(const Certificates::Revoked revoked,
      fleet_.certificates.Revoke(request.serial(), by.certificate, by.actor));
  v1::RevokeCertificateResponse response;
  response.set_sequence(revoked.sequence);
  response.set_pending(revoked.sequence == 0);
  *response.mutable_certificate() = revoked.row;
  return response;
}

Result<v1::CertificateInfo> CertificateVerbs::Get(const v1::GetCertificateRequest& request) const {
  return fleet_.certificates.Find(request.serial());
}

Result<v1::ListCertificatesResponse> CertificateVerbs::List(
    const v1::ListCertificatesRequest& request) const {
  const v1::PageOf& asked = request.page();
  TRY(const RowPage<v1::CertificateInfo> page,
      fleet_.certificates.List(asked.after(), LimitOf(asked)));
  v1::ListCertificatesResponse response;
  for (const v1::CertificateInfo& one : page.rows) *response.add_certificates() = one;
  response.set_next(page.next);
  return response;
}

}  // namespace outport::store

#include "store/certificates.h"

#include "registry/storage/keys.h"
#include "store/rows.h"

namespace outport::store {

v1::CertificateRow ToRow(const pki::LeafOptions& options, const pki::IssuedCertificate& issued,
                         int64_t now_ms, const std::string& issued_by) {
  v1::CertificateRow row;
  row.set_role(std::string(ToString(options.role)));
  row.set_name(options.name);
  row.set_serial(issued.serial);
  row.set_issuer_key_id(issued.issuer_key_id);
  row.set_issued_ms(now_ms);
  row.set_not_after_ms(ToUnixMillis(issued.not_after));
  row.set_issued_by(issued_by);
  return row;
}

Certificates::Certificates(MetaStore& meta, pki::Authority authority, const Clock& clock, Log log)
    : meta_(meta), authority_(std::move(authority)), clock_(clock), log_(std::move(log)) {}

Result<Certificates::Issued> Certificates::Issue(Role role, const std::string& name,
                                                 std::string_view request, uint32_t days,
                                                 const Actor& by) {
  if (role != Role::kClient && role != Role::kAdmin) {
    return Error{ErrorCode::kInvalidArgument,
                 "certificates are issued to clients and administrators; a node gets its own by "
                 "joining (outportctl node invite)"};
  }
  if (days > kMaxCertificateDays) {
    return Error{ErrorCode::kInvalidArgument, "a certificate lasts at most 1825 days (5 years)"};
  }
  pki::LeafOptions options;
  options.role = role;
  options.name = name;
  options.lifetime = std::chrono::days(days == 0 ? kDefaultCertificateDays : days);
  TRY(const pki::IssuedCertificate issued, pki::Issue(authority_, request, options));
  const auto row = ToRow(options, issued, ToUnixMillis(clock_.Wall()), by.name);
  const Auditor auditor(by, clock_);
  auto enter = [&](MetaTransaction& transaction) {
    auditor.Add(transaction, "certificate.issue", "certificate/" + row.role() + "/" + row.name(),
                nullptr, RowJson(row));
    return WriteRow(transaction, keys::Certificate(issued.issuer_key_id, issued.serial), row);
  };
  // The row first: no certificate leaves that could not be found again to be revoked.
  TRY_VOID(Transact(meta_, enter));
  log_.Info("certificate issued",
            {{"name", name}, {"role", ToString(role)}, {"serial", issued.serial}, {"by", by.name}});
  return Issued{issued.certificate + authority_.issuing.certificate, authority_.root.certificate,
                row};
}

Result<Certificates::Page> Certificates::List(const std::string& after, size_t limit) const {
  const std::string prefix(keys::kCertificates);
  const ScanRange range{prefix, after.empty() ? "" : prefix + after, limit + 1};
  TRY(const std::vector<KeyValue> found, meta_.Scan(range));
  Page page;
  for (const KeyValue& pair : found) {
    if (page.rows.size() == limit) {
      page.next = page.rows.back().issuer_key_id() + "/" + page.rows.back().serial();
      break;
    }
    TRY(v1::CertificateRow row, ParseRow<v1::CertificateRow>(pair.key, pair.value));
    page.rows.push_back(std::move(row));
  }
  return page;
}

}  // namespace outport::store

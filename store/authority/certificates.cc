#include "store/authority/certificates.h"

#include <algorithm>
#include <optional>

#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "store/audit/row_json.h"

namespace outport::store {
namespace {

constexpr size_t kLeastSerialDigits = 8;
constexpr size_t kDeleteBatch = 1000;

}  // namespace

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

v1::RevocationRow RevocationOf(const v1::CertificateRow& row, int64_t now_ms,
                               const std::string& by) {
  v1::RevocationRow revocation;
  revocation.set_issuer_key_id(row.issuer_key_id());
  revocation.set_serial(row.serial());
  revocation.set_role(row.role());
  revocation.set_name(row.name());
  revocation.set_revoked_ms(now_ms);
  revocation.set_not_after_ms(row.not_after_ms());
  revocation.set_revoked_by(by);
  return revocation;
}

Result<bool> InsertRevocation(MetaTransaction& transaction, const v1::CertificateRow& row,
                              int64_t now_ms, const std::string& by) {
  const std::string key = keys::Revocation(row.issuer_key_id(), row.serial());
  TRY(const auto present, transaction.GetForUpdate(key));
  if (present.has_value()) return false;
  v1::Change change;
  *change.mutable_revoked() = RevocationOf(row, now_ms, by);
  TRY_VOID(WriteRow(transaction, key, change.revoked()));
  AppendChange(transaction, change);
  return true;
}

Certificates::Certificates(MetaStore& meta, const Authorities& authorities,
                           AccessFollower& follower, const Clock& clock, Log log)
    : meta_(meta),
      authorities_(authorities),
      follower_(follower),
      clock_(clock),
      log_(std::move(log)) {}

Result<Certificates::Issued> Certificates::Issue(Role role, const std::string& name,
                                                 std::string_view request, uint32_t days,
                                                 const Actor& by) {
  if (role != Role::kClient && role != Role::kAdmin) {
    return Error{ErrorCode::kInvalidArgument,
                 "the role must be client or admin; a node gets its certificates when it joins "
                 "(outportctl node invite)"};
  }
  if (days > kMaxCertificateDays) {
    return Error{ErrorCode::kInvalidArgument,
                 "a certificate may last at most 1825 days (5 years); ask for fewer days"};
  }
  pki::LeafOptions options;
  options.role = role;
  options.name = name;
  options.lifetime = std::chrono::days(days == 0 ? kDefaultCertificateDays : days);
  const auto trust = authorities_.Current();
  TRY(const pki::IssuedCertificate issued, pki::Issue(trust->signer, request, options));
  const auto row = ToRow(options, issued, ToUnixMillis(clock_.Wall()), by.name);
  const Auditor auditor(by, clock_);
  auto insert = [&](MetaTransaction& transaction) {
    auditor.Add(transaction, "certificate.issue", "certificate/" + row.role() + "/" + row.name(),
                nullptr, RowJson(row));
    return WriteRow(transaction, keys::Certificate(issued.issuer_key_id, issued.serial), row);
  };
  // Insert the row before the certificate leaves the store: nobody could revoke a certificate
  // without a row.
  TRY_VOID(Transact(meta_, insert));
  log_.Info("certificate issued",
            {{"name", name}, {"role", ToString(role)}, {"serial", issued.serial}, {"by", by.name}});
  return Issued{issued.certificate + trust->chain, trust->roots, row};
}

// Searches the certificates of one issuer after the other, because a row's key begins with the
// issuer. There are few issuers.
Result<v1::CertificateRow> Certificates::FindBySerial(const std::string& serial) const {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (serial.size() < kLeastSerialDigits || !std::ranges::all_of(serial, hex)) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + serial.substr(0, 64) +
                     "' is not a serial number: give at least its first 8 digits, 0-9 and a-f, as "
                     "'outportctl cert list' shows them"};
  }
  std::optional<v1::CertificateRow> found;
  ScanRange next{.prefix = std::string(keys::kCertificates), .limit = 1};
  for (;;) {
    TRY(const std::vector<KeyValue> first, meta_.Scan(next));
    if (first.empty()) break;
    const std::string issuer = first.front().key.substr(0, first.front().key.rfind('/') + 1);
    TRY(const std::vector<KeyValue> rows, meta_.Scan({.prefix = issuer + serial, .limit = 2}));
    for (const KeyValue& row : rows) {
      if (found.has_value()) {
        return Error{ErrorCode::kInvalidArgument,
                     "several serial numbers begin with '" + serial + "'; give more digits"};
      }
      TRY(found, ParseRow<v1::CertificateRow>(row.key, row.value));
    }
    next.after = issuer + '\xff';
  }
  if (found.has_value()) return *found;
  return Error{ErrorCode::kNotFound, "there is no certificate whose serial number begins with '" +
                                         serial +
                                         "'; 'outportctl cert list' shows the certificates"};
}

Result<Certificates::Revoked> Certificates::Revoke(const std::string& serial,
                                                   const CertificateId& own, const Actor& by) {
  TRY(v1::CertificateRow row, FindBySerial(serial));
  if (CertificateId{row.issuer_key_id(), row.serial()} == own) {
    return Error{ErrorCode::kFailedPrecondition,
                 "you cannot revoke your own certificate; another administrator can revoke it"};
  }
  auto write = [this, row, by] { return WriteRevocation(row, by); };
  auto narrow = [&]() -> Result<std::optional<PendingAccess::Change>> {
    const std::string key = keys::Revocation(row.issuer_key_id(), row.serial());
    const auto revocation = RevocationOf(row, ToUnixMillis(clock_.Wall()), by.name);
    auto insert = [value = revocation.SerializeAsString()](PendingAccess::Value present) {
      return present.has_value() ? present : PendingAccess::Value(value);
    };
    return PendingAccess::Change{
        .action = "certificate.revoke", .rows = {{key, std::move(insert)}}, .follow = [this, key] {
          static_cast<void>(follower_.Follow(key));
        }};
  };
  TRY(const uint64_t sequence, follower_.pending().Commit(std::move(write), narrow));
  return Revoked{sequence, std::move(row)};
}

Result<uint64_t> Certificates::WriteRevocation(const v1::CertificateRow& row, const Actor& by) {
  const Auditor auditor(by, clock_);
  auto revoke = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const bool inserted,
        InsertRevocation(transaction, row, ToUnixMillis(clock_.Wall()), by.name));
    if (!inserted) return {};
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    auditor.Add(transaction, "certificate.revoke", "certificate/" + row.role() + "/" + row.name(),
                RowJson(row), nullptr);
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, revoke));
  TRY_VOID(follower_.Follow(keys::Revocation(row.issuer_key_id(), row.serial())));
  log_.Info("certificate revoked", {{"name", row.name()},
                                    {"role", row.role()},
                                    {"serial", row.serial()},
                                    {"by", by.name},
                                    {"sequence", position.sequence}});
  return position.sequence;
}

Result<v1::CertificateInfo> Certificates::Describe(v1::CertificateRow row) const {
  const std::string key = keys::Revocation(row.issuer_key_id(), row.serial());
  v1::CertificateInfo info;
  *info.mutable_row() = std::move(row);
  const std::string all = keys::Revocation(info.row().issuer_key_id(), kAllSerials);
  TRY(auto revocation, ReadRow<v1::RevocationRow>(meta_, key));
  if (!revocation.has_value()) {
    TRY(revocation, ReadRow<v1::RevocationRow>(meta_, all));
  }
  if (revocation.has_value()) *info.mutable_revocation() = *std::move(revocation);
  return info;
}

Result<v1::CertificateInfo> Certificates::Find(const std::string& serial) const {
  TRY(v1::CertificateRow row, FindBySerial(serial));
  return Describe(std::move(row));
}

Result<size_t> Certificates::DeleteExpired() {
  const int64_t before_ms = ToUnixMillis(clock_.Wall() - kKeepExpired);
  ScanRange next{.prefix = std::string(keys::kCertificates), .limit = kDeleteBatch};
  size_t deleted = 0;
  for (bool more = true; more;) {
    TRY(const std::vector<KeyValue> rows, meta_.Scan(next));
    more = rows.size() == next.limit;
    size_t count = 0;
    auto delete_rows = [&](MetaTransaction& transaction) -> Result<void> {
      count = 0;
      for (const KeyValue& pair : rows) {
        TRY(const auto row, ParseRow<v1::CertificateRow>(pair.key, pair.value));
        if (row.not_after_ms() >= before_ms) continue;
        TRY(const bool revoked,
            HasRow(transaction, keys::Revocation(row.issuer_key_id(), row.serial())));
        if (revoked) continue;
        TRY_VOID(transaction.Delete(pair.key));
        ++count;
      }
      return {};
    };
    if (!rows.empty()) {
      TRY_VOID(Transact(meta_, delete_rows));
      next.after = rows.back().key;
    }
    deleted += count;
  }
  if (deleted > 0) log_.Info("expired certificates deleted", {{"count", deleted}});
  return deleted;
}

Result<RowPage<v1::CertificateInfo>> Certificates::List(const std::string& after,
                                                        size_t limit) const {
  TRY(RowPage<v1::CertificateRow> page,
      ListRows<v1::CertificateRow>(meta_, keys::kCertificates, after, limit));
  RowPage<v1::CertificateInfo> described{.rows = {}, .next = std::move(page.next)};
  for (v1::CertificateRow& row : page.rows) {
    TRY(v1::CertificateInfo info, Describe(std::move(row)));
    described.rows.push_back(std::move(info));
  }
  return described;
}

}  // namespace outport::store

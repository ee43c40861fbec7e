#include "store/authority/node_certificates.h"

#include "registry/records/keys.h"
#include "registry/records/row_scan.h"
#include "registry/records/rows.h"
#include "store/authority/certificates.h"

namespace outport::store {
Result<pki::IssuedCertificate> IssueToNode(const pki::Authority& authority, const v1::NodeRow& node,
                                           NodePurpose purpose, std::string_view request,
                                           const NodeLifetimes& lifetimes,
                                           MetaTransaction& transaction, int64_t now_ms,
                                           const std::string& issued_by) {
  const bool server = purpose == NodePurpose::kServer;
  pki::LeafOptions options;
  options.role = Role::kNode;
  options.name = node.name();
  options.server = server;
  options.client = !server;
  options.lifetime = server ? lifetimes.server : lifetimes.identity;
  if (server) options.host_names = {node.host_names().begin(), node.host_names().end()};
  TRY(const pki::IssuedCertificate issued, pki::Issue(authority, request, options));
  TRY_VOID(WriteRow(transaction, keys::Certificate(issued.issuer_key_id, issued.serial),
                    ToRow(options, issued, now_ms, issued_by)));
  return issued;
}

Result<std::vector<std::string>> RevokeNodeCertificates(const MetaStore& meta,
                                                        MetaTransaction& transaction,
                                                        const std::string& node, int64_t now_ms,
                                                        const std::string& by) {
  std::vector<std::string> revoked;
  auto revoke = [&](const v1::CertificateRow& row) -> Result<void> {
    if (row.role() != ToString(Role::kNode) || row.name() != node) return {};
    if (row.not_after_ms() <= now_ms) return {};
    TRY(const bool inserted, InsertRevocation(transaction, row, now_ms, by));
    if (inserted) revoked.push_back(keys::Revocation(row.issuer_key_id(), row.serial()));
    return {};
  };
  TRY_VOID(ForEachRow<v1::CertificateRow>(meta, keys::kCertificates, revoke));
  return revoked;
}

}  // namespace outport::store

#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/security/pki/pki.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// The lifetimes of a node's certificates. The node renews each certificate after a third of its
// lifetime. The identity is short-lived, so that a stolen identity expires soon. The server
// certificate is long-lived, so that it stays valid during a long outage of the store.
struct NodeLifetimes {
  std::chrono::seconds identity = std::chrono::days(7);
  std::chrono::seconds server = std::chrono::days(90);
};

// IssueToNode() issues the identity of a node, or the node's server certificate, for the key of
// `request` (PKCS#10, PEM), and inserts the certificate's row.
enum class NodePurpose { kIdentity, kServer };
Result<pki::IssuedCertificate> IssueToNode(const pki::Authority& authority, const v1::NodeRow& node,
                                           NodePurpose purpose, std::string_view request,
                                           const NodeLifetimes& lifetimes,
                                           MetaTransaction& transaction, int64_t now_ms,
                                           const std::string& issued_by);

// Revokes every unexpired certificate of a node. Returns the keys of the revocations, for
// FleetRows::Follow() after the commit. REQUIRES: the transaction has locked the node's row, so
// that no other call issues a certificate to the node meanwhile.
Result<std::vector<std::string>> RevokeNodeCertificates(const MetaStore& meta,
                                                        MetaTransaction& transaction,
                                                        const std::string& node, int64_t now_ms,
                                                        const std::string& by);

}  // namespace outport::store

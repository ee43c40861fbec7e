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

// How long a node's certificates last. It renews each at a third of its life: the identity often,
// so that a stolen one is soon worthless; the server's seldom, so that it outlives a long cut.
struct NodeLifetimes {
  std::chrono::seconds identity = std::chrono::days(7);
  std::chrono::seconds server = std::chrono::days(90);
};

// The identity of a node, or its server certificate, for the key of `request` (PKCS#10, PEM), and
// the row that remembers it.
enum class NodePurpose { kIdentity, kServer };
Result<pki::IssuedCertificate> IssueToNode(const pki::Authority& authority, const v1::NodeRow& node,
                                           NodePurpose purpose, std::string_view request,
                                           const NodeLifetimes& lifetimes,
                                           MetaTransaction& transaction, int64_t now_ms,
                                           const std::string& issued_by);

// Revokes what a node has: every certificate of its name that has not expired. Returns the keys of
// the revocations, for AccessFollower::Follow() after the commit. REQUIRES: the transaction has
// locked the node's row, under which its certificates are issued.
Result<std::vector<std::string>> RevokeNodeCertificates(const MetaStore& meta,
                                                        MetaTransaction& transaction,
                                                        const std::string& node, int64_t now_ms,
                                                        const std::string& by);

}  // namespace outport::store

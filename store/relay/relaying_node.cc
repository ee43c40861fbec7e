#include "store/relay/relaying_node.h"

#include <utility>

namespace outport::store {

RelayingNode::RelayingNode(const MemberDirectory& members, const AccessDirectory& directory,
                           CertificateIdentity node, std::string client_certificate_name)
    : members_(members),
      directory_(directory),
      node_(std::move(node)),
      client_certificate_name_(std::move(client_certificate_name)),
      origin_{.kind = HolderKind::kNode, .name = node_.name} {}

Result<std::shared_ptr<const NodePermissions>> RelayingNode::Check() const {
  if (directory_.IsRevoked(node_)) {
    return Error{ErrorCode::kUnavailable,
                 "the store no longer accepts writes from node '" + node_.name +
                     "' on this connection: the connection's certificate was revoked, or its "
                     "CA was replaced; push again"};
  }
  auto permissions = members_.Require(node_.name);
  if (permissions.has_value()) return permissions;
  return Error{ErrorCode::kUnavailable,
               "the store accepts no writes from this node: " + permissions.error().message};
}

}  // namespace outport::store

#pragma once

#include <memory>
#include <string>

#include "registry/access/peer.h"
#include "store/fleet/member_directory.h"

namespace outport::store {

// A node that relays one write for a client. Its permissions bound the rights of the client's user.
// It only asserts the name in the client's certificate. Safe for all threads.
class RelayingNode final : public Peer {
 public:
  // `node`: from the node's own certificate. The directories outlive it.
  RelayingNode(const MemberDirectory& members, const AccessDirectory& directory,
               CertificateIdentity node, std::string client_certificate);

  const std::string& name() const { return node_.name; }

  // kUnavailable, since it is not the client's fault: the node's certificate was revoked, or the
  // node is not a member of the fleet.
  Result<std::shared_ptr<const NodePermissions>> Check() const override;
  std::string_view certificate() const override { return client_certificate_; }
  bool certificate_is_verified() const override { return false; }
  const std::string& origin() const override { return origin_; }

 private:
  const MemberDirectory& members_;
  const AccessDirectory& directory_;
  const CertificateIdentity node_;
  const std::string client_certificate_;
  // Wrong passwords are counted by node. The store cannot verify a client's address, and the node
  // counts the wrong passwords of each address itself.
  const std::string origin_;
};

}  // namespace outport::store

#pragma once

#include <memory>
#include <string>

#include "registry/access/peer.h"
#include "store/fleet/member_directory.h"

namespace outport::store {

// A node that relays one write for a client. The node's permissions limit the rights of the
// client's user. The store cannot verify the client's certificate, so the certificate's name is
// only an assertion of the node. Safe for all threads.
class RelayingNode final : public Peer {
 public:
  // `node` is the identity in the node's own certificate. Both directories outlive this object.
  RelayingNode(const MemberDirectory& members, const AccessDirectory& directory,
               CertificateIdentity node, std::string client_certificate_name);

  const std::string& name() const { return node_.name; }

  // Returns kUnavailable if the node's certificate was revoked or the node is not a member of the
  // fleet. The code is kUnavailable because the client is not at fault.
  Result<std::shared_ptr<const NodePermissions>> Check() const override;
  std::string_view certificate_name() const override { return client_certificate_name_; }
  bool certificate_is_verified() const override { return false; }
  const Holder& origin() const override { return origin_; }

 private:
  const MemberDirectory& members_;
  const AccessDirectory& directory_;
  const CertificateIdentity node_;
  const std::string client_certificate_name_;
  // The store counts wrong passwords by node, because it cannot verify a client's address. The node
  // itself counts wrong passwords by address.
  const Holder origin_;
};

}  // namespace outport::store

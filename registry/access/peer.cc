#include "registry/access/peer.h"

namespace outport {

Result<std::shared_ptr<const NodePermissions>> ClientPeer::Check() const {
  if (!identity_.has_value()) return identity_.error();
  const bool expired = identity_->not_after <= clock_.Wall();
  if (!expired && !directory_.IsRevoked(*identity_)) return nullptr;
  const std::string why = expired ? "has expired" : "was revoked";
  return Error{ErrorCode::kCertificateInvalid,
               "The SSL certificate is not accepted: it " + why +
                   "; ask an administrator for a new one (outportctl cert issue " +
                   identity_->name + ")"};
}

}  // namespace outport

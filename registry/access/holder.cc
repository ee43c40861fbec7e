#include "registry/access/holder.h"

#include <string>

namespace outport {

Holder HolderOf(const Sender& sender) {
  if (sender.user != nullptr) return {.kind = HolderKind::kUser, .name = sender.user->name};
  const Peer& peer = *sender.peer;
  if (peer.certificate_is_verified() && !peer.certificate_name().empty()) {
    return {.kind = HolderKind::kCertificate, .name = std::string(peer.certificate_name())};
  }
  return peer.origin();
}

}  // namespace outport

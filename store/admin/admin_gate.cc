#include "store/admin/admin_gate.h"

#include <algorithm>

#include "registry/rpc/channel.h"

namespace outport::store {

Result<Administrator> AdminGate::Admit(const grpc::ServerContextBase& context) const {
  TRY(CertificateIdentity caller, rpc::RequireRole(context, domain, Role::kAdmin, directory));
  return Administrator{
      Actor::Administrator(caller.name, AddressOfPeer(context.peer()), rpc::RequestIdOf(context)),
      {std::move(caller.issuer_key_id), std::move(caller.serial)}};
}

std::string AddressOfPeer(std::string_view peer) {
  std::string address(peer.substr(peer.find(':') + 1));
  address.resize(std::min(address.size(), address.rfind(':')));
  for (const std::string_view bracket : {"%5B", "%5D", "[", "]"}) {
    const size_t at = address.find(bracket);
    if (at != std::string::npos) address.erase(at, bracket.size());
  }
  return address;
}

}  // namespace outport::store

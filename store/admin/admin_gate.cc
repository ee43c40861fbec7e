#include "store/admin/admin_gate.h"

#include "registry/rpc/channel.h"
#include "store/fleet/peer_address.h"

namespace outport::store {

Result<Administrator> AdminGate::Admit(const grpc::ServerContextBase& context) const {
  TRY(CertificateIdentity caller, rpc::RequireRole(context, domain, Role::kAdmin, directory));
  return Administrator{
      Actor::Administrator(caller.name, AddressOfPeer(context.peer()), rpc::RequestIdOf(context)),
      {std::move(caller.issuer_key_id), std::move(caller.serial)}};
}

}  // namespace outport::store

#pragma once

#include <memory>
#include <string>

#include "registry/rpc/channel.h"

namespace outport::rpc {

// Like ReloadingServerCredentials(), for an identity that is not in files.
inline std::shared_ptr<grpc::ServerCredentials> FleetServerCredentials(
    const TlsIdentity& identity) {
  KeepGrpcInitialized();
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = identity.authorities;
  tls.pem_key_cert_pairs.push_back({identity.private_key, identity.certificate_chain});
  return grpc::SslServerCredentials(tls);
}

// Like Dial(), for a caller that does not check whether the server is the store.
inline std::shared_ptr<grpc::Channel> DialAnyServer(const std::string& address,
                                                    const TlsIdentity& identity) {
  KeepGrpcInitialized();
  const grpc::SslCredentialsOptions tls{identity.authorities, identity.private_key,
                                        identity.certificate_chain};
  return Dial(address, grpc::SslCredentials(tls), true);
}

}  // namespace outport::rpc

#pragma once

#include <memory>

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

}  // namespace outport::rpc

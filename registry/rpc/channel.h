#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <string>

#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/pki/identity.h"

namespace outport::rpc {

// The largest message that both sides accept: a manifest or a chunk of a blob, with its envelope.
inline constexpr int kMaxMessageBytes = 6 << 20;

// Keeps the gRPC library initialised until the process ends. Otherwise it shuts down each time its
// last object is destroyed, which takes up to ten seconds. Dial() and ReloadingServerCredentials()
// call it.
void KeepGrpcInitialized();

// The certificate and trust bundle of one side of a connection to the fleet port; PEM.
struct TlsIdentity {
  std::string certificate_chain;  // leaf first; empty: no certificate (enrolment)
  std::string private_key;
  std::string authorities;  // the fleet's trust bundle; public authorities are not trusted

  ~TlsIdentity() { Wipe(private_key); }
};

// A TlsIdentity in files, which gRPC reloads when they change: a new connection of a node uses the
// certificate of the last renewal.
struct TlsFiles {
  std::string certificate_chain;
  std::string private_key;
  std::string authorities;
};
// Channels may share the result. Safe for several threads.
std::shared_ptr<grpc::ChannelCredentials> ReloadingChannelCredentials(const TlsFiles& files);
std::shared_ptr<grpc::Channel> Dial(const std::string& address,
                                    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                    bool own_connection = false);

// A channel to the store's fleet port. Does not block; it reconnects with backoff.
// `own_connection`: the channel does not share its connection with others to the same address. For
// bulk transfers.
std::shared_ptr<grpc::Channel> Dial(const std::string& address, const TlsIdentity& identity,
                                    bool own_connection = false);

// The credentials of the fleet port. The server requests a client certificate and verifies it. A
// caller without a certificate reaches the methods: each checks its caller with RequireRole(),
// except for enrolment. The files are reloaded when they change; new connections use the new
// content.
std::shared_ptr<grpc::ServerCredentials> ReloadingServerCredentials(const TlsFiles& files);

// Returns the caller's identity. kUnauthorized if it has no verified certificate, or one that was
// revoked or has expired; kDenied if the certificate has another role or domain.
Result<CertificateIdentity> RequireRole(const grpc::ServerContextBase& context,
                                        std::string_view domain, Role role,
                                        const AccessDirectory& directory);

// The metadata key for the id of a client's request, sent from node to store.
inline constexpr char kRequestIdKey[] = "outport-request-id";
std::string RequestIdOf(const grpc::ServerContextBase& context);  // empty if there is none

}  // namespace outport::rpc

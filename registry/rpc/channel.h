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

// The largest message that both sides accept. A manifest or a chunk of a blob fits, with the other
// fields of its message.
inline constexpr int kMaxMessageBytes = 6 << 20;

class MemberGate;

// Keeps the gRPC library initialised until the process ends. Otherwise gRPC shuts down whenever its
// last object is destroyed, and each shutdown takes up to ten seconds. Dial() and
// ReloadingServerCredentials() call this function.
void KeepGrpcInitialized();

// The certificate and the trust bundle of one side of a connection to the fleet port, as PEM.
struct TlsIdentity {
  std::string certificate_chain;  // leaf first; empty: no certificate (enrollment)
  std::string private_key;
  std::string authorities;  // the fleet's trust bundle; no public authority is trusted
  // Without a certificate: the fleet's domain, which the store's certificate must have. Empty: any
  // domain that `authorities` issue. With a certificate: not used, its domain counts.
  std::string domain = {};

  ~TlsIdentity() { Wipe(private_key); }
};

// The files of a TlsIdentity. gRPC reloads them when they change, so that new connections use a
// renewed certificate.
struct TlsFiles {
  std::string certificate_chain;
  std::string private_key;
  std::string authorities;
};
// Every handshake accepts only the store of the fleet `domain`: see StoreVerifier(). Several
// channels may share the returned credentials. Safe for several threads.
std::shared_ptr<grpc::ChannelCredentials> ReloadingChannelCredentials(const TlsFiles& files,
                                                                      const std::string& domain);
std::shared_ptr<grpc::Channel> Dial(const std::string& address,
                                    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                    bool own_connection = false);

// Returns a channel to the store's fleet port. Every handshake accepts only the store of the
// identity's fleet: see StoreVerifier(). Does not block. If the connection fails, the channel
// reconnects with backoff. `own_connection` gives the channel a connection of its own, which other
// channels to the same address do not use. Set it for bulk transfers.
std::shared_ptr<grpc::Channel> Dial(const std::string& address, const TlsIdentity& identity,
                                    bool own_connection = false);

// Returns the credentials of the fleet port. The server requests a client certificate and verifies
// it: the handshake fails unless `gate` admits the certificate. A caller without a certificate can
// still call the methods, because a new node has none when it enrols. So every method except
// enrollment must check its caller with RequireRole(). gRPC reloads the files when they change, and
// new connections use the new content.
std::shared_ptr<grpc::ServerCredentials> ReloadingServerCredentials(
    const TlsFiles& files, std::shared_ptr<MemberGate> gate);

// Returns the caller's identity. kUnauthorized if the caller has no verified certificate, or if the
// certificate was revoked, has expired or is not valid yet. kDenied if the certificate has another
// role or domain.
Result<CertificateIdentity> RequireRole(const grpc::ServerContextBase& context,
                                        std::string_view domain, Role role,
                                        const AccessDirectory& directory);

// The metadata key under which a node sends the id of a client's request to the store.
inline constexpr char kRequestIdKey[] = "outport-request-id";
std::string RequestIdOf(const grpc::ServerContextBase& context);  // empty if the call has none

}  // namespace outport::rpc
